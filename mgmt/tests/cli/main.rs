//! The program against a daemon with known answers.

mod capture;
mod fake;
mod snapshots;
