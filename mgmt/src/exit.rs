//! How the program ends: 0 done, 1 refused or failed, 2 wrong usage, 3 the server cannot be reached.

use mgmt_api::ClientError;
use std::error::Error;
use std::io;
use std::process::ExitCode;

/// Refused by the server, or failed here.
const FAILED: u8 = 1;
/// Arguments that cannot be; `clap` uses the same.
const USAGE: u8 = 2;
/// Nobody answers.
const UNREACHABLE: u8 = 3;

/// Why the program ends early.
#[derive(Debug)]
pub enum Failure {
    /// The server refused, or could not be asked.
    Client(ClientError),
    /// The arguments do not go together.
    Usage(String),
    /// A file or pipe failed.
    Output {
        /// What was done with what.
        action: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::Client(error)
    }
}

impl Failure {
    /// A failure while `action` ("write FILE").
    pub fn output(action: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let action = action.into();
        move |source| Failure::Output { action, source }
    }

    /// Says what happened on standard error. A reader that closed the pipe (`mgmt … | head`) has what it wanted: that
    /// is no failure.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Output { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Failure::Output { action, source } => {
                eprintln!("mgmt: cannot {action}: {source}");
                ExitCode::from(FAILED)
            }
            Failure::Usage(message) => {
                eprintln!("mgmt: {message}");
                ExitCode::from(USAGE)
            }
            Failure::Client(error) => {
                report_client(error);
                ExitCode::from(if error.is_unreachable() { UNREACHABLE } else { FAILED })
            }
        }
    }
}

fn report_client(error: &ClientError) {
    eprintln!("mgmt: {}", crate::text::printable(&error.to_string()));
    if let ClientError::Refused(refusal) = error {
        for detail in &refusal.details {
            eprintln!("\n{}", crate::text::printable_lines(detail.trim_end()));
        }
        if !refusal.details.is_empty() {
            eprintln!();
        }
    } else {
        let mut source = error.source();
        while let Some(inner) = source {
            eprintln!("  because: {inner}");
            source = inner.source();
        }
    }
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {}", crate::text::printable(&hint));
    }
}
