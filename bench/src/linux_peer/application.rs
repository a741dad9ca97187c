//! The endpoint's application on our stack: serves the requests of [`super::protocol`].

use super::ledger::{Ledger, bump};
use super::protocol::{PORT, Place, REQUEST_BYTES, Request};
use bytes::Bytes;
use netstack::tcp::{ConnId, EndReason, ListenConfig, Ready, SendError, TcpEvent};
use netstack::{Instant, Stack};
use std::sync::Arc;

/// Bytes handed to the stack at once.
const PIECE_BYTES: usize = 65_536;

/// One accepted connection.
enum Flow {
    /// The request has not come whole yet.
    Asking { request: [u8; REQUEST_BYTES], got: usize },
    /// Bytes are being sent.
    Sending { place: Place, left: u64 },
    /// Bytes are being received.
    Receiving { place: Place, got: u64, wrong: bool },
    /// Nothing more to do but to wait for the peer.
    Closing,
    /// The slot is free.
    Free,
}

/// Serves every connection of a stack.
pub struct Application {
    flows: Vec<Flow>,
    ledger: Arc<Ledger>,
}

impl Application {
    /// Begins to listen.
    pub fn start(stack: &mut Stack, ledger: Arc<Ledger>) -> Result<Application, String> {
        stack.listen(ListenConfig::port(PORT)).map_err(|error| error.to_string())?;
        Ok(Application { flows: Vec::new(), ledger })
    }

    /// Reacts to everything that has happened.
    pub fn react(&mut self, now: Instant, stack: &mut Stack) {
        while let Some(event) = stack.poll_event() {
            self.handle(now, stack, &event);
        }
    }

    fn handle(&mut self, now: Instant, stack: &mut Stack, event: &TcpEvent) {
        let slot = event.conn.index() as usize;
        if event.ready.contains(Ready::ACCEPTED) {
            if self.flows.len() <= slot {
                self.flows.resize_with(slot + 1, || Flow::Free);
            }
            self.flows[slot] = Flow::Asking { request: [0; REQUEST_BYTES], got: 0 };
        }
        if event.ready.contains(Ready::ENDED) {
            if event.ended != Some(EndReason::Closed) {
                bump(&self.ledger.broken);
            }
            if let Some(flow) = self.flows.get_mut(slot) {
                *flow = Flow::Free;
            }
            return;
        }
        if event.ready.contains(Ready::READABLE) || event.ready.contains(Ready::PEER_CLOSED) {
            self.read(now, stack, event.conn);
        }
        if event.ready.contains(Ready::WRITABLE) {
            self.write(now, stack, event.conn);
        }
    }

    fn read(&mut self, now: Instant, stack: &mut Stack, conn: ConnId) {
        let Some(flow) = self.flows.get_mut(conn.index() as usize) else { return };
        loop {
            let data = stack.peek(conn);
            if data.is_empty() {
                break;
            }
            let taken = match flow {
                Flow::Asking { request, got } => {
                    let taken = data.len().min(REQUEST_BYTES - *got);
                    request[*got..*got + taken].copy_from_slice(&data[..taken]);
                    *got += taken;
                    taken
                }
                Flow::Receiving { place, got, wrong } => {
                    *wrong |= !*wrong && !place.matches(data);
                    *got += data.len() as u64;
                    self.ledger.add_received(data.len());
                    data.len()
                }
                Flow::Sending { .. } | Flow::Closing | Flow::Free => data.len(),
            };
            stack.consume(conn, taken);
            if let Flow::Asking { request, got: REQUEST_BYTES } = flow {
                *flow = match Request::decode(request) {
                    Some(Request::Send(left)) => Flow::Sending { place: Place::default(), left },
                    Some(Request::Receive) => Flow::Receiving { place: Place::default(), got: 0, wrong: false },
                    None => {
                        stack.abort(now, conn);
                        *flow = Flow::Free;
                        return;
                    }
                };
            }
        }
        match flow {
            Flow::Sending { .. } => self.write(now, stack, conn),
            Flow::Receiving { got, wrong, .. } if stack.recv_finished(conn) => {
                if *wrong {
                    bump(&self.ledger.mismatches);
                }
                // Refused only when the connection is ending already.
                let _ = stack.send(conn, Bytes::copy_from_slice(&got.to_le_bytes()));
                *flow = Flow::Closing;
                stack.close(now, conn);
            }
            Flow::Asking { .. } if stack.recv_finished(conn) => {
                *flow = Flow::Closing;
                stack.close(now, conn);
            }
            _ => {}
        }
    }

    fn write(&mut self, now: Instant, stack: &mut Stack, conn: ConnId) {
        let Some(flow) = self.flows.get_mut(conn.index() as usize) else { return };
        let Flow::Sending { place, left } = flow else { return };
        while *left > 0 {
            let before = *place;
            let piece = place.next(PIECE_BYTES.min(usize::try_from(*left).unwrap_or(usize::MAX)));
            let bytes = piece.len() as u64;
            match stack.send(conn, piece) {
                Ok(()) => *left -= bytes,
                Err(SendError::Full) => {
                    *place = before;
                    return;
                }
                Err(SendError::NotOpen | SendError::NoConnection) => {
                    *flow = Flow::Closing;
                    return;
                }
            }
        }
        *flow = Flow::Closing;
        stack.close(now, conn);
    }
}
