//! The operator's command line over the control socket of a running `anygate`.
//!
//! ```text
//!   arguments (cli) ▸ request (mgmt-api) ▸ socket ▸ reply ▸ table or --json (commands)
//! ```
//!
//! Every command is declared once, in [`cli`]: help, man pages, completions and `docs/MGMT.md` come from there. A reply
//! is one type of `mgmt-api`, from which both outputs are printed. This program holds nothing that traffic needs;
//! killing it at any moment disturbs nobody.

#![forbid(unsafe_code)]

pub mod cli;
mod commands;
mod exit;
pub mod reference;
mod table;
mod text;

use std::process::ExitCode;

/// Does what the arguments say; the code is what the process ends with.
pub fn run(cli: cli::Cli) -> ExitCode {
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
