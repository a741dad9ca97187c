//! The blocking client.
//!
//! ```no_run
//! use mgmt_api::{Client, StatusRequest, socket};
//! let mut client = Client::connect(&socket::path(None))?;
//! println!("{}", client.call(&StatusRequest {})?.product);
//! # Ok::<(), mgmt_api::ClientError>(())
//! ```

#![allow(clippy::disallowed_methods, reason = "the client owns its deadlines")]

use crate::capture::CaptureRequest;
use crate::command::{self, Command};
use crate::frame::{self, FrameError, LineReader, REPLY_LIMIT_BYTES};
use crate::{ApiError, CaptureReply, Hello};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer may take when nothing else is said. A reload of a large configuration is the slowest.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket, or nobody listens on it.
    #[error("anygate is not running: nothing listens on {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket's mode does not let this user in.
    #[error("this user may not use {}", path.display())]
    PermissionDenied {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection failed or ended, in another way.
    #[error("the control socket failed")]
    Io(#[source] io::Error),
    /// No answer within the time.
    #[error("no answer within {} seconds", .0.as_secs_f64())]
    Timeout(Duration),
    /// The answer is no line of this protocol.
    #[error("no whole answer came")]
    Frame(#[source] FrameError),
    /// The answer is not of the shape that the command has.
    #[error("the answer was not understood")]
    Shape(#[source] serde_json::Error),
    /// The server refused.
    #[error(transparent)]
    Refused(ApiError),
}

impl ClientError {
    /// Whether the server could not be asked at all.
    pub fn is_unreachable(&self) -> bool {
        !matches!(self, ClientError::Refused(_) | ClientError::Shape(_))
    }

    /// What to do next, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClientError::NotRunning { .. } => Some(
                "start it with `anygate serve -c FILE`, or name its socket with --socket PATH or ANYGATE_SOCKET"
                    .to_owned(),
            ),
            ClientError::PermissionDenied { .. } => {
                Some("run it with sudo, or join the group that owns the socket (`ls -l` shows it)".to_owned())
            }
            ClientError::Timeout(_) => Some("the process is busy or stopped; look at its log and at `top`".to_owned()),
            ClientError::Shape(_) | ClientError::Frame(FrameError::NotUtf8 | FrameError::TooLong(_)) => {
                Some("is this the socket of `anygate`, and `mgmt` of the same version?".to_owned())
            }
            ClientError::Refused(error) => error.hint.clone(),
            ClientError::Io(_) | ClientError::Frame(_) => None,
        }
    }
}

/// A connection to a running `anygate`; any number of commands one after the other.
pub struct Client {
    lines: LineReader<UnixStream>,
    timeout: Duration,
    server: Hello,
}

impl Client {
    /// Connects and says hello.
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        Client::connect_with_timeout(path, DEFAULT_TIMEOUT)
    }

    /// The same, with another limit for each answer.
    pub fn connect_with_timeout(path: &Path, timeout: Duration) -> Result<Client, ClientError> {
        let stream = UnixStream::connect(path).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { path, source },
                io::ErrorKind::PermissionDenied => ClientError::PermissionDenied { path, source },
                _ => ClientError::Io(source),
            }
        })?;
        stream.set_write_timeout(Some(timeout)).map_err(ClientError::Io)?;
        let lines = LineReader::new(stream, REPLY_LIMIT_BYTES);
        let mut client = Client { lines, timeout, server: Hello::ours() };
        client.server = client.greet()?;
        Ok(client)
    }

    /// What the server said of itself.
    pub fn server(&self) -> &Hello {
        &self.server
    }

    /// Asks, and waits for the answer.
    pub fn call<C: Command>(&mut self, request: &C) -> Result<C::Reply, ClientError> {
        let line = command::encode_request(request).map_err(ClientError::Shape)?;
        let line = self.exchange(&line)?;
        command::decode_answer::<C>(&line).map_err(ClientError::Shape)?.map_err(ClientError::Refused)
    }

    /// Asks for a capture; the connection becomes its stream.
    pub fn capture(mut self, request: &CaptureRequest) -> Result<(CaptureReply, CaptureStream), ClientError> {
        let reply = self.call(request)?;
        let (stream, head) = self.lines.into_parts();
        stream.set_read_timeout(None).map_err(ClientError::Io)?;
        Ok((reply, CaptureStream { head: io::Cursor::new(head), stream }))
    }

    fn greet(&mut self) -> Result<Hello, ClientError> {
        let line = self.exchange(&Hello::ours().encode())?;
        if let Some(refusal) = command::decode_refusal(&line) {
            return Err(ClientError::Refused(refusal));
        }
        Hello::decode(&line).map_err(ClientError::Refused)
    }

    /// Sends a line and receives one. A server that refuses without reading says why before it closes: what it sent is
    /// looked at also when our line could not be written.
    fn exchange(&mut self, line: &str) -> Result<String, ClientError> {
        let sent = self.send(line);
        self.receive().map_err(|error| sent.err().unwrap_or(error))
    }

    fn send(&mut self, line: &str) -> Result<(), ClientError> {
        let mut stream = self.lines.source();
        frame::write_line(&mut stream, line).map_err(|error| self.classify(error))
    }

    /// One line within the time, however slowly it trickles.
    fn receive(&mut self) -> Result<String, ClientError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ClientError::Timeout(self.timeout));
            }
            self.lines.source().set_read_timeout(Some(left)).map_err(ClientError::Io)?;
            match self.lines.poll_line() {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(FrameError::Io(error)) => return Err(self.classify(error)),
                Err(error) => return Err(ClientError::Frame(error)),
            }
        }
    }

    fn classify(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Timeout(self.timeout),
            _ => ClientError::Io(error),
        }
    }
}

/// The bytes of a running capture. Reading ends (returns 0) when the server has ended it.
pub struct CaptureStream {
    head: io::Cursor<Vec<u8>>,
    stream: UnixStream,
}

impl CaptureStream {
    /// A handle that ends this capture from another thread.
    pub fn stopper(&self) -> io::Result<CaptureStopper> {
        self.stream.try_clone().map(CaptureStopper)
    }
}

impl Read for CaptureStream {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match self.head.read(target)? {
            0 => self.stream.read(target),
            read => Ok(read),
        }
    }
}

/// Ends a capture.
pub struct CaptureStopper(UnixStream);

impl CaptureStopper {
    /// Asks the server to end the capture in order: it sends what it still has, its figures, and closes.
    pub fn stop(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// Ends it at once; the reader sees the end of the stream.
    pub fn abort(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Both)
    }
}
