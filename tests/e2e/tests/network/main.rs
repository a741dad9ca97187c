//! AnyGate on a wire, with Linux at the other end.

#![allow(clippy::disallowed_methods, reason = "tests own a clock")]

mod acquired;
mod answers;
mod control;
mod lifecycle;
mod link;
mod linux_peer;
mod load;
mod protocol;
mod queues;
mod reload;
