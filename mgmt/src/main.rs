//! The operator's command line; all of it is in the library, so that its declaration can be tested.

#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    mgmt::run(mgmt::cli::Cli::parse())
}
