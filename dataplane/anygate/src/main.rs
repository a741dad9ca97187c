//! The `anygate` binary.

#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    anygate::cli::run(anygate::cli::Arguments::parse())
}
