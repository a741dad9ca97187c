//! Lines over a byte stream, with limits.

use std::io::{self, Read, Write};

/// The longest request, in bytes.
pub const REQUEST_LIMIT_BYTES: usize = 64 * 1024;

/// The longest reply, in bytes. Ten thousand routes are about 3 MB.
pub const REPLY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// How much is asked from the socket at once.
const READ_BYTES: usize = 16 * 1024;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer closed the connection between two lines.
    #[error("the connection was closed")]
    Closed,
    /// The peer closed the connection within a line.
    #[error("the connection was closed within a line")]
    Truncated,
    /// The line is longer than the limit, in bytes.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The line is not text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The socket failed; a timeout is `WouldBlock` or `TimedOut`.
    #[error("reading from the socket failed")]
    Io(#[source] io::Error),
}

/// Takes lines from a byte stream.
pub struct LineReader<R> {
    source: R,
    limit_bytes: usize,
    /// Received and not yet taken.
    buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that are known to hold no line end.
    searched: usize,
}

impl<R: Read> LineReader<R> {
    /// Reads lines of at most `limit_bytes` bytes, the line end not counted.
    pub fn new(source: R, limit_bytes: usize) -> LineReader<R> {
        LineReader { source, limit_bytes, buffer: Vec::new(), searched: 0 }
    }

    /// The stream.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// The stream, and what was already read from it behind the last line.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.source, self.buffer)
    }

    /// Whether the start of a line is there.
    pub fn has_partial_line(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// A whole line when one is already there; reads at most once from the stream otherwise.
    pub fn poll_line(&mut self) -> Result<Option<String>, FrameError> {
        if let Some(line) = self.buffered_line()? {
            return Ok(Some(line));
        }
        let before = self.buffer.len();
        let room = (self.limit_bytes + 1 - before.min(self.limit_bytes)).min(READ_BYTES);
        self.buffer.resize(before + room, 0);
        let result = loop {
            match self.source.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) if before == 0 => Err(FrameError::Closed),
            Ok(0) => Err(FrameError::Truncated),
            Ok(_) => self.buffered_line(),
            Err(error) => Err(FrameError::Io(error)),
        }
    }

    /// The next line, without its end.
    pub fn read_line(&mut self) -> Result<String, FrameError> {
        loop {
            if let Some(line) = self.poll_line()? {
                return Ok(line);
            }
        }
    }

    fn buffered_line(&mut self) -> Result<Option<String>, FrameError> {
        let Some(end) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            if self.buffer.len() > self.limit_bytes {
                return Err(FrameError::TooLong(self.limit_bytes));
            }
            return Ok(None);
        };
        let end = self.searched + end;
        if end > self.limit_bytes {
            return Err(FrameError::TooLong(self.limit_bytes));
        }
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        self.searched = 0;
        line.truncate(end);
        String::from_utf8(line).map(Some).map_err(|_| FrameError::NotUtf8)
    }
}

/// Writes `line` and its end in one call.
pub fn write_line(target: &mut impl Write, line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    target.write_all(&bytes)?;
    target.flush()
}
