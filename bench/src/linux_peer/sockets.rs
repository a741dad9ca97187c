//! The kernel's sockets: the client, which is Linux always, and the endpoint where Linux is under test.

use super::ledger::{Ledger, bump};
use super::protocol::{PORT, Place, REQUEST_BYTES, Request};
use crate::error::BenchError;
use crate::host;
use anygate::clock::Clock;
use netstack::Instant;
use rustix::net::sockopt;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of one read or write.
const PIECE_BYTES: usize = 128 * 1024;
/// Patience with a handshake: a SYN that is lost is sent again after 1, 3, 7 and 15 seconds.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// How often a blocked thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// The endpoint on kernel sockets, in the namespace of the thread that started it.
pub struct SocketEndpoint {
    stop: Arc<AtomicBool>,
    open: Arc<Open>,
    listener: JoinHandle<()>,
}

/// The connections that are open, by the order in which they came. One that ends is taken out: a second descriptor for
/// every connection of a run would soon be more than a process may have.
type Open = Mutex<BTreeMap<u64, TcpStream>>;

impl SocketEndpoint {
    /// Begins to listen on `address`; accepted connections use the congestion control called `congestion`.
    pub fn start(address: Ipv4Addr, congestion: &str, ledger: Arc<Ledger>) -> Result<SocketEndpoint, BenchError> {
        let listener = TcpListener::bind((address, PORT)).map_err(|e| BenchError::io("listen", e))?;
        listener.set_nonblocking(true).map_err(|e| BenchError::io("listen", e))?;
        // Accepted sockets inherit it.
        sockopt::set_tcp_congestion(&listener, congestion)
            .map_err(|e| BenchError::io(&format!("use {congestion}"), e.into()))?;
        let (stop, open) = (Arc::new(AtomicBool::new(false)), Arc::<Open>::default());
        let (stopped, streams) = (Arc::clone(&stop), Arc::clone(&open));
        let listener = thread::spawn(move || accept(&listener, &stopped, &streams, &ledger));
        Ok(SocketEndpoint { stop, open, listener })
    }

    /// Resets what is open and waits for every thread.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener's thread waits for those of its connections, which end when their sockets do.
        abort_all(&self.open);
        let _ = self.listener.join();
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, open: &Open, ledger: &Arc<Ledger>) {
    thread::scope(|scope| {
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let accepted = listener.accept().and_then(|(stream, _)| Ok((stream.try_clone()?, stream)));
            match accepted {
                Ok((copy, stream)) => {
                    locked(open).insert(number, copy);
                    scope.spawn(move || {
                        if serve(stream, ledger).is_err() {
                            bump(&ledger.broken);
                        }
                        locked(open).remove(&number);
                    });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_readable(listener),
                // Out of descriptors, say: the listener stays readable. Under real-time priority, trying again at once
                // would keep everybody else from the processor.
                Err(_) => host::nap(LOOK),
            }
        }
        abort_all(open);
    });
}

fn abort_all(open: &Open) {
    let streams = std::mem::take(&mut *locked(open));
    streams.into_values().for_each(abort);
}

fn locked(open: &Open) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_readable(listener: &TcpListener) {
    let mut descriptors = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
    let patience = rustix::time::Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as _ };
    let _ = rustix::event::poll(&mut descriptors, Some(&patience));
}

/// Serves one connection to its end.
fn serve(mut stream: TcpStream, ledger: &Ledger) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let mut request = [0; REQUEST_BYTES];
    stream.read_exact(&mut request)?;
    match Request::decode(&request) {
        Some(Request::Send(bytes)) => send(&mut stream, bytes)?,
        Some(Request::Receive) => {
            let got = receive(&mut stream, ledger)?;
            stream.write_all(&got.to_le_bytes())?;
        }
        None => return Err(ErrorKind::InvalidData.into()),
    }
    stream.shutdown(Shutdown::Write)?;
    // Until the client has closed: what it still says is nothing.
    stream.read(&mut request).map(|_| ())
}

fn send(stream: &mut TcpStream, mut left: u64) -> std::io::Result<()> {
    let mut place = Place::default();
    while left > 0 {
        let piece = place.next(PIECE_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX)));
        stream.write_all(&piece)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream, ledger: &Ledger) -> std::io::Result<u64> {
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut place, mut got, mut wrong) = (Place::default(), 0, false);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        wrong |= !wrong && !place.matches(&buffer[..read]);
        got += read as u64;
        ledger.add_received(read);
    }
    if wrong {
        bump(&ledger.mismatches);
    }
    Ok(got)
}

/// Ends a connection with a reset, without waiting for what is queued.
fn abort(stream: TcpStream) {
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Both);
}

/// The client of one connection.
pub struct Client {
    stream: TcpStream,
    clock: Clock,
}

impl Client {
    /// Opens a connection to an endpoint; it sends with the congestion control called `congestion`.
    pub fn connect(endpoint: Ipv4Addr, congestion: &str, clock: Clock) -> std::io::Result<Client> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((endpoint, PORT)), CONNECT_PATIENCE)?;
        sockopt::set_tcp_congestion(&stream, congestion)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK))?;
        Ok(Client { stream, clock })
    }

    /// Asks for `request`.
    pub fn ask(&mut self, request: Request) -> std::io::Result<()> {
        self.stream.write_all(&request.encode())
    }

    /// Receives until the endpoint closes, or until `deadline`; adds to `received` as it goes. The bytes must be those
    /// of the pattern. Returns whether the endpoint has closed.
    pub fn receive(&mut self, deadline: Instant, received: &AtomicU64) -> std::io::Result<bool> {
        self.receive_from(&mut Place::default(), deadline, received)
    }

    /// As [`Client::receive`], from a place in the pattern on.
    pub fn receive_from(
        &mut self,
        place: &mut Place,
        deadline: Instant,
        received: &AtomicU64,
    ) -> std::io::Result<bool> {
        let mut buffer = vec![0; PIECE_BYTES];
        while self.clock.now() < deadline {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(read) if place.matches(&buffer[..read]) => {
                    received.fetch_add(read as u64, Ordering::Relaxed);
                }
                Ok(_) => return Err(ErrorKind::InvalidData.into()),
                Err(error) if is_patience(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Sends `bytes` of the pattern, or until `deadline`. Returns whether all was handed to the kernel.
    pub fn send(&mut self, deadline: Instant, mut bytes: u64) -> std::io::Result<bool> {
        let mut place = Place::default();
        let mut piece = bytes::Bytes::new();
        while bytes > 0 {
            if self.clock.now() >= deadline {
                return Ok(false);
            }
            if piece.is_empty() {
                piece = place.next(PIECE_BYTES.min(usize::try_from(bytes).unwrap_or(usize::MAX)));
            }
            match self.stream.write(&piece) {
                Ok(written) => {
                    bytes -= written as u64;
                    let _ = piece.split_to(written);
                }
                Err(error) if is_patience(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Closes the sending side and waits until the endpoint says how much it received.
    pub fn finish_sending(&mut self, deadline: Instant) -> std::io::Result<u64> {
        self.stream.shutdown(Shutdown::Write)?;
        let mut told = [0; 8];
        let mut got = 0;
        while got < told.len() {
            match self.stream.read(&mut told[got..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => got += read,
                Err(error) if is_patience(&error) && self.clock.now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
        Ok(u64::from_le_bytes(told))
    }

    /// Ends the connection with a reset, so that nothing of it is left for the next run.
    pub fn abort(self) {
        abort(self.stream);
    }
}

/// Nothing came in [`LOOK`].
fn is_patience(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
