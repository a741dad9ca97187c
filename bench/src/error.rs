//! What can go wrong around a measurement, and what to do about it.

use std::{fmt, io};

/// A run could not be made; the text says why and what to do.
#[derive(Debug)]
pub struct BenchError {
    what: String,
    source: Option<io::Error>,
}

impl BenchError {
    /// `what` happened.
    pub fn new(what: impl Into<String>) -> BenchError {
        BenchError { what: what.into(), source: None }
    }

    /// Could not `what`, because of `error`.
    pub fn io(what: &str, error: io::Error) -> BenchError {
        BenchError { what: format!("cannot {what}"), source: Some(error) }
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for BenchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
