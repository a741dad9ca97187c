//! What runs over every stack of the lab: connections that were opened send a pattern and want it back, those that were
//! accepted send back what comes.

use bytes::Bytes;
use netstack::tcp::{ConnId, EndReason, Ready};
use netstack::{Instant, Stack};
use std::collections::HashMap;

/// One connection that was opened here.
#[derive(Debug, Default)]
pub struct Flow {
    number: u64,
    total: usize,
    sent: usize,
    received: usize,
}

#[derive(Default)]
pub struct Application {
    flows: HashMap<ConnId, Flow>,
    /// Connections that ended in order, those opened here and those accepted.
    pub finished: usize,
    accepted: Vec<ConnId>,
}

fn pattern(number: u64, offset: usize) -> u8 {
    ((offset as u64 ^ number << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as u8
}

impl Application {
    pub fn opened(&mut self, conn: ConnId, number: u64, total: usize) {
        self.flows.insert(conn, Flow { number, total, ..Flow::default() });
    }

    pub fn is_done(&self) -> bool {
        self.flows.is_empty() && self.accepted.is_empty()
    }

    pub fn progress(&self) -> String {
        format!("{} accepted, opened {:?}", self.accepted.len(), self.flows.values())
    }

    pub fn run(&mut self, now: Instant, stack: &mut Stack) -> Result<(), String> {
        while let Some(event) = stack.poll_event() {
            let conn = event.conn;
            if event.ready.contains(Ready::ACCEPTED) {
                self.accepted.push(conn);
            }
            if event.ready.contains(Ready::ENDED) {
                self.ended(conn, event.ended)?;
            } else if self.flows.contains_key(&conn) {
                self.drive(now, stack, conn)?;
            } else {
                echo(now, stack, conn);
            }
        }
        Ok(())
    }

    fn ended(&mut self, conn: ConnId, reason: Option<EndReason>) -> Result<(), String> {
        self.accepted.retain(|accepted| *accepted != conn);
        let flow = self.flows.remove(&conn);
        let whole = flow.as_ref().is_none_or(|flow| flow.received == flow.total);
        self.finished += 1;
        match reason {
            Some(EndReason::Closed) if whole => Ok(()),
            _ => Err(format!("a connection ended: {reason:?}, {flow:?}")),
        }
    }

    fn drive(&mut self, now: Instant, stack: &mut Stack, conn: ConnId) -> Result<(), String> {
        let Some(flow) = self.flows.get_mut(&conn) else { return Ok(()) };
        while flow.sent < flow.total {
            let length = (flow.total - flow.sent).min(3000);
            let data: Bytes = (flow.sent..flow.sent + length).map(|offset| pattern(flow.number, offset)).collect();
            if stack.send(conn, data).is_err() {
                break;
            }
            flow.sent += length;
        }
        loop {
            let chunk = stack.peek(conn);
            if chunk.is_empty() {
                break;
            }
            let right = (flow.received..).zip(chunk).all(|(offset, &byte)| byte == pattern(flow.number, offset));
            if !right {
                return Err(format!("wrong bytes from {} on: {flow:?}", flow.received));
            }
            let length = chunk.len();
            flow.received += length;
            stack.consume(conn, length);
        }
        if flow.received == flow.total {
            stack.close(now, conn);
        }
        Ok(())
    }
}

fn echo(now: Instant, stack: &mut Stack, conn: ConnId) {
    while stack.send_room(conn) > 0 && !stack.peek(conn).is_empty() {
        let data = Bytes::copy_from_slice(stack.peek(conn));
        let length = data.len();
        if stack.send(conn, data).is_err() {
            break;
        }
        stack.consume(conn, length);
    }
    if stack.recv_finished(conn) {
        stack.close(now, conn);
    }
}
