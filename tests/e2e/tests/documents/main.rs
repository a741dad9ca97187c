//! The documents, held: every command that they show is run here, and every configuration of the README is served.
//!
//! `text` finds the commands and `runbook` says how each is run (or why it is not); `site` is the network of the README's
//! example, and `demo` does what somebody does who types `make run`. `links` looks at what the documents point at.

#![allow(clippy::disallowed_methods, reason = "tests own a clock")]

mod demo;
mod folder;
mod links;
mod runbook;
mod site;
mod text;
