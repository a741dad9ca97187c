//! Stacks that are broken on purpose, at the border between them and the rest: what the checks must find. A check that finds
//! none of them is worth nothing.

use std::collections::HashMap;

use netstack::frame::{RxChecksum, TxChecksum};
use netstack::ip::{checksum, protocol};
use netstack::{Frame, FramePool, Instant};
use port::headers::Headers;

use crate::check::segment::{ACK, Segment, before};

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// A byte of received data changes.
    WrongByte,
    /// What was lost is never sent again.
    NoRetransmission,
    /// A received frame is kept for ever.
    LeakedFrame,
    /// A received frame is dropped, and not counted.
    SilentDrop,
    /// The application is not told of something.
    LostEvent,
    /// Timers never fire.
    NoTimers,
    /// The stack wants to be called again at once, always.
    BusyLoop,
    /// What has not arrived is acknowledged.
    EarlyAck,
    /// A promised window is taken back.
    ShrunkWindow,
    /// More is sent than the peer's window takes.
    IgnoredWindow,
    /// An acknowledgment is followed by an older one.
    OldAck,
}

/// Breaks a worker's stack; by default in no way.
#[derive(Default)]
pub struct Mutant {
    mutation: Option<Mutation>,
    received: u32,
    sent: u32,
    events: u32,
    kept: Vec<Frame>,
    /// Behind the highest number sent, by ports.
    highest: HashMap<(u16, u16), u32>,
}

impl Mutant {
    /// Broken as `mutation` says.
    pub fn new(mutation: Mutation) -> Mutant {
        Mutant { mutation: Some(mutation), ..Mutant::default() }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// A frame goes into the stack, unless it is swallowed.
    pub fn receive(&mut self, mut frame: Frame, pool: &FramePool) -> Option<Frame> {
        let Some(mutation) = self.mutation else { return Some(frame) };
        if Segment::parse(frame.data()).is_none_or(|segment| segment.payload.is_empty()) {
            return Some(frame);
        }
        self.received += 1;
        match mutation {
            Mutation::WrongByte if self.received == 3 => {
                if let Some(last) = frame.data_mut().last_mut() {
                    *last ^= 0x20;
                }
                frame.rx_checksum = RxChecksum::Verified;
                Some(frame)
            }
            Mutation::LeakedFrame if self.received == 3 => {
                let copy = port::copy_frame(pool, &frame);
                self.kept.push(frame);
                copy
            }
            Mutation::SilentDrop if self.received == 3 => None,
            _ => Some(frame),
        }
    }

    /// True when the next event does not reach the application.
    pub fn swallows_event(&mut self) -> bool {
        self.events += 1;
        self.is(Mutation::LostEvent) && self.events == 2
    }

    /// True when timers do not fire.
    pub fn stops_time(&self) -> bool {
        self.is(Mutation::NoTimers)
    }

    /// When the stack says that it wants to be called.
    pub fn timeout(&self, now: Instant, timeout: Option<Instant>) -> Option<Instant> {
        if self.is(Mutation::BusyLoop) { Some(now) } else { timeout }
    }

    /// A frame leaves the stack; false when it does not reach the port.
    pub fn send(&mut self, frame: &mut Frame) -> bool {
        let Some(mutation) = self.mutation else { return true };
        let Some(segment) = Segment::parse(frame.data()) else { return true };
        let (ports, end, payload) = ((segment.source.1, segment.destination.1), segment.end(), segment.payload.len());
        let (ack, window, acks) = (segment.ack, segment.window, segment.flags == ACK);
        let next = self.highest.entry(ports).or_insert(end);
        let again = payload > 0 && !before(*next, end);
        if before(*next, end) {
            *next = end;
        }
        self.sent += 1;
        let late = self.sent > 4;
        match mutation {
            Mutation::NoRetransmission => return !again || !late,
            Mutation::EarlyAck if acks && late => rewrite(frame, |tcp| put32(tcp, 8, ack.wrapping_add(50_000))),
            Mutation::OldAck if acks && late => rewrite(frame, |tcp| put32(tcp, 8, ack.wrapping_sub(1))),
            Mutation::ShrunkWindow if acks && late && window > 2 => rewrite(frame, |tcp| put16(tcp, 14, window / 3)),
            Mutation::IgnoredWindow if payload > 0 && late => {
                rewrite(frame, |tcp| put32(tcp, 4, end.wrapping_add(1 << 26)));
            }
            _ => {}
        }
        true
    }
}

fn put32(tcp: &mut [u8], at: usize, value: u32) {
    tcp[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

fn put16(tcp: &mut [u8], at: usize, value: u16) {
    tcp[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Changes the TCP header of a frame, and its checksum with it.
fn rewrite(frame: &mut Frame, change: impl FnOnce(&mut [u8])) {
    let Some(ip) = Headers::parse(frame.data()).and_then(|headers| headers.ip) else { return };
    let complete = frame.tx_checksum == TxChecksum::Complete;
    let Some(tcp) = frame.data_mut().get_mut(ip.l4..).filter(|tcp| tcp.len() >= 20) else { return };
    change(tcp);
    if complete {
        checksum::fill_transport(ip.source, ip.destination, protocol::TCP, tcp, 16, false);
    }
}
