//! One session: hello, then commands one after the other.

use super::access::Access;
use super::backend::Backend;
use super::capture;
use super::peer::Peer;
use mgmt_api::frame::{self, FrameError, LineReader, REQUEST_LIMIT_BYTES};
use mgmt_api::{
    ApiError, CaptureReply, ConnectionsRequest, ErrorCode, Hello, MAX_CONNECTION_LIMIT, Reply, Request, encode_answer,
};
use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// From the first byte of a line to its end; also for the hello.
const LINE_TIMEOUT: Duration = Duration::from_secs(5);

/// A session without a command is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// A client that does not take its answer is left after this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest drain that can be asked for.
const MAX_DRAIN: Duration = Duration::from_secs(24 * 3600);

/// Why a session ends early. The reader of a closed connection is told nothing more.
enum End {
    /// The peer is gone, or takes nothing.
    Gone,
    /// The peer is told why.
    Refuse(ApiError),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Gone
    }
}

/// Serves one client until it leaves.
pub(super) fn run(stream: UnixStream, backend: &dyn Backend, access: Access) {
    let Ok(peer) = Peer::of(&stream) else { return };
    let mut session = Session { lines: LineReader::new(stream, REQUEST_LIMIT_BYTES), peer, backend };
    if let Err(End::Refuse(error)) = session.serve(access) {
        let _ = session.answer(Err(error));
    }
}

struct Session<'a> {
    lines: LineReader<UnixStream>,
    peer: Peer,
    backend: &'a dyn Backend,
}

impl Session<'_> {
    fn serve(&mut self, access: Access) -> Result<(), End> {
        self.lines.source().set_nonblocking(false)?;
        self.lines.source().set_write_timeout(Some(WRITE_TIMEOUT))?;
        self.authorise(access)?;
        let hello = self.line(LINE_TIMEOUT)?;
        Hello::decode(&hello).map_err(End::Refuse)?;
        self.write(&Hello::ours().encode())?;
        loop {
            let line = self.line(IDLE_TIMEOUT)?;
            match Request::decode(&line) {
                Ok(Request::Capture(request)) => match self.backend.capture(&request) {
                    Ok(mut source) => {
                        self.backend.audit(&format!("{}: capture of {}", self.peer, source.interfaces().join(", ")));
                        let reply =
                            CaptureReply { interfaces: source.interfaces(), snaplen_bytes: request.snaplen_bytes };
                        self.answer(Ok(Reply::Capture(reply)))?;
                        return Ok(capture::stream(self.lines.source(), source.as_mut(), &request)?);
                    }
                    Err(error) => self.answer(Err(error))?,
                },
                Ok(request) => {
                    let answer = self.execute(request);
                    self.answer(answer)?;
                }
                Err(error) => self.answer(Err(error))?,
            }
        }
    }

    fn authorise(&self, access: Access) -> Result<(), End> {
        let own_uid = rustix::process::geteuid().as_raw();
        let own_gid = rustix::process::getegid().as_raw();
        if access.allows(&self.peer, own_uid, own_gid) {
            return Ok(());
        }
        self.backend.audit(&format!("{}: refused, may not use the control socket", self.peer));
        Err(End::Refuse(
            ApiError::new(ErrorCode::NotPermitted, format!("user {} may not use the control socket", self.peer.uid))
                .with_hint("run it with sudo, or join the group that owns the socket"),
        ))
    }

    fn execute(&self, request: Request) -> Result<Reply, ApiError> {
        let backend = self.backend;
        Ok(match request {
            Request::Status(_) => Reply::Status(backend.status()),
            Request::Ports(_) => Reply::Ports(backend.ports()),
            Request::Counters(_) => Reply::Counters(backend.counters()),
            Request::Drops(_) => Reply::Drops(backend.drops()),
            Request::Connections(request) => Reply::Connections(backend.connections(&checked(request)?)?),
            Request::Neighbors(_) => Reply::Neighbors(backend.neighbors()?),
            Request::Routes(_) => Reply::Routes(backend.routes()),
            Request::Explain(request) => Reply::Explain(backend.explain(&request)?),
            Request::Reload(_) => Reply::Reload(self.reload()?),
            Request::Drain(request) => {
                let deadline = Duration::from_millis(request.deadline_milliseconds).min(MAX_DRAIN);
                backend.audit(&format!("{}: drain within {} s", self.peer, deadline.as_secs_f64()));
                Reply::Drain(backend.drain(deadline)?)
            }
            Request::Capture(_) => return Err(ApiError::new(ErrorCode::Internal, "a capture is not a command")),
        })
    }

    fn reload(&self) -> Result<mgmt_api::ReloadReply, ApiError> {
        let result = self.backend.reload();
        let outcome = match &result {
            Ok(reply) => format!("generation {}", reply.generation),
            Err(diagnostics) => format!("refused, {} findings", diagnostics.len()),
        };
        self.backend.audit(&format!("{}: reload: {outcome}", self.peer));
        result.map_err(|diagnostics| {
            ApiError::new(ErrorCode::Refused, "the new configuration was not accepted; the old one stays in force")
                .with_details(diagnostics)
        })
    }

    /// The next line: `patience` for its first byte, then [`LINE_TIMEOUT`] for the rest, however it trickles.
    fn line(&mut self, patience: Duration) -> Result<String, End> {
        let mut deadline = Instant::now() + patience;
        let mut begun = false;
        loop {
            if self.lines.has_partial_line() && !begun {
                begun = true;
                deadline = deadline.min(Instant::now() + LINE_TIMEOUT);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(timeout());
            }
            self.lines.source().set_read_timeout(Some(left))?;
            match self.lines.poll_line() {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Err(timeout()),
                Err(FrameError::Io(_) | FrameError::Closed | FrameError::Truncated) => return Err(End::Gone),
                Err(error @ FrameError::TooLong(_)) => {
                    return Err(End::Refuse(ApiError::new(ErrorCode::TooLong, error.to_string())));
                }
                Err(error @ FrameError::NotUtf8) => {
                    return Err(End::Refuse(ApiError::new(ErrorCode::Malformed, error.to_string())));
                }
            }
        }
    }

    fn answer(&mut self, answer: Result<Reply, ApiError>) -> Result<(), End> {
        let line = encode_answer(answer).or_else(|error| {
            encode_answer(Err(ApiError::new(ErrorCode::Internal, format!("the reply cannot be written: {error}"))))
        });
        self.write(&line.map_err(|_| End::Gone)?)
    }

    fn write(&mut self, line: &str) -> Result<(), End> {
        let mut stream = self.lines.source();
        Ok(frame::write_line(&mut stream, line)?)
    }
}

fn checked(request: ConnectionsRequest) -> Result<ConnectionsRequest, ApiError> {
    if (1..=MAX_CONNECTION_LIMIT).contains(&request.limit) {
        return Ok(request);
    }
    Err(ApiError::new(
        ErrorCode::InvalidArgument,
        format!("connections: the limit must be between 1 and {MAX_CONNECTION_LIMIT}, not {}", request.limit),
    ))
}

fn timeout() -> End {
    End::Refuse(ApiError::new(ErrorCode::Timeout, "waited too long for a whole line"))
}
