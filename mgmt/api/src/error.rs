//! What a server answers when it does not do what was asked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a refusal; programs decide by it, people read the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The peer speaks another version of the protocol.
    UnsupportedVersion,
    /// Not a JSON document of the expected shape, or not UTF-8.
    Malformed,
    /// The line is longer than its limit.
    TooLong,
    /// There is no such command.
    UnknownCommand,
    /// The command has no such argument.
    UnknownField,
    /// An argument is missing, or its value is not possible.
    InvalidArgument,
    /// The peer's user may not do this.
    NotPermitted,
    /// A limit of the server is reached; trying again later may help.
    Busy,
    /// The server is not in a state to do it, or the outside world does not allow it (a bad configuration file, a
    /// worker that does not answer).
    Refused,
    /// Waited too long for the next line.
    Timeout,
    /// A fault of the server.
    Internal,
    /// A code that this build does not know, from a newer server.
    #[serde(other)]
    Unknown,
}

/// A refusal: whose fault it is, what happened, and what to do next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiError {
    /// The kind.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
    /// What to do next, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Longer findings, one a paragraph: the diagnostics of a configuration that was not accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl ApiError {
    /// A refusal without hint and details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), hint: None, details: Vec::new() }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> ApiError {
        self.hint = Some(hint.into());
        self
    }

    /// The same with longer findings.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> ApiError {
        self.details = details;
        self
    }

    /// The refusal that fits a document which could not be read as `what`.
    pub(crate) fn from_json(what: &str, error: &serde_json::Error) -> ApiError {
        let text = error.to_string();
        let code = match error.classify() {
            serde_json::error::Category::Data if text.starts_with("unknown field") => ErrorCode::UnknownField,
            serde_json::error::Category::Data => ErrorCode::InvalidArgument,
            _ => ErrorCode::Malformed,
        };
        ApiError::new(code, format!("{what}: {text}"))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
