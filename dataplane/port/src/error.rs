//! Why a port could not be opened: whose fault it is, and what mends it.

use core::fmt;
use std::io;

/// Whose fault an error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The configuration or the command line asks for something that cannot be.
    Operator,
    /// The machine lacks something: a device, a permission, a kernel option.
    Host,
    /// A defect of this program.
    Program,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Operator => "configuration",
            Blame::Host => "host",
            Blame::Program => "defect in AnyGate",
        })
    }
}

/// An error of a port. Prints whose fault it is, what could not be done, and the command that mends it; the
/// system's own error is its source.
#[derive(Debug)]
pub struct PortError {
    blame: Blame,
    what: String,
    remedy: Option<String>,
    source: Option<io::Error>,
}

impl PortError {
    /// Something in the configuration cannot be.
    pub fn operator(what: impl Into<String>) -> PortError {
        PortError::new(Blame::Operator, what)
    }

    /// The machine lacks something.
    pub fn host(what: impl Into<String>) -> PortError {
        PortError::new(Blame::Host, what)
    }

    /// A defect of this program.
    pub fn program(what: impl Into<String>) -> PortError {
        PortError::new(Blame::Program, what)
    }

    fn new(blame: Blame, what: impl Into<String>) -> PortError {
        PortError { blame, what: what.into(), remedy: None, source: None }
    }

    /// The command (or the change) that mends it.
    #[must_use]
    pub fn remedy(mut self, command: impl Into<String>) -> PortError {
        self.remedy = Some(command.into());
        self
    }

    /// The system's own error.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<io::Error>) -> PortError {
        self.source = Some(source.into());
        self
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        self.blame
    }

    /// The command that mends it, when there is one.
    pub fn remedy_command(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.blame, self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; to mend it: {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PortError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
