//! Segment arrival (RFC 9293 §3.10.7), split as the RFC splits it: by group of states.
//!
//! ```text
//!   handle_segment ─ parse, checksum, find ─┬─▶ connection ─┬─ SYN-SENT                  syn_sent.rs
//!                                           │               └─ everything synchronized   synchronized.rs, ack.rs, data.rs
//!                                           ├─▶ half open (SYN-RECEIVED after a passive open)   half_open.rs
//!                                           ├─▶ TIME-WAIT                                       ../time_wait.rs
//!                                           └─▶ nothing: LISTEN or CLOSED                       listen.rs
//! ```

mod ack;
mod data;
mod half_open;
mod listen;
mod misplaced;
mod syn_sent;
mod synchronized;

use super::control_block::Conn;
use super::segment::{CHECKSUM_AT, Segment, URG};
use super::shared::Shared;
use super::state::State;
use super::table::Entry;
use super::tuple::Tuple;
use super::{Ctx, Misplaced, Outcome, Tcp, time_wait};
use crate::counters::TcpCounter;
use crate::frame::Frame;
use crate::ip::{Ecn, IpMeta, checksum, protocol};
use crate::slab::Slab;
use listen::Arrival;

pub(crate) use half_open::{remove as remove_half_open, timeout as half_open_timeout};
pub(crate) use listen::scale_for;

impl Tcp {
    /// A TCP segment arrived: `frame` holds exactly header and payload. When it is for a flow of another worker,
    /// [`Tcp::take_misplaced`] has it afterwards.
    pub fn handle_segment(&mut self, ctx: &mut Ctx<'_>, meta: &IpMeta, mut frame: Frame) {
        let counters = &mut self.shared.counters;
        counters.bump(TcpCounter::RxSegments);
        let Some(mut segment) = Segment::parse(frame.data()) else {
            return counters.bump(TcpCounter::DropMalformed);
        };
        let known = frame.rx_checksum;
        if !checksum::verify_transport(meta.src, meta.dst, protocol::TCP, frame.data(), CHECKSUM_AT, known) {
            return counters.bump(TcpCounter::DropChecksum);
        }
        if segment.has(URG) {
            // RFC 6093 §6 by way of RFC 9293 §3.8.5: the urgent pointer is not used; its data stays in the stream.
            counters.bump(TcpCounter::RxUrgent);
        }
        segment.ce = Ecn::from_bits(meta.ecn) == Ecn::Ce;
        frame.trim_front(segment.header_len);
        let tuple = Tuple::new(meta.dst, segment.dst_port, meta.src, segment.src_port);
        let hash = self.shared.table.hash(&tuple);
        match find(&self.conns, &self.shared, hash, &tuple) {
            Some(Entry::Connection(index)) => self.connection_segment(index, &segment, frame, meta, ctx),
            Some(Entry::HalfOpen(index)) => self.half_open_segment(index, &segment, frame, meta, ctx),
            Some(Entry::TimeWait(index)) => {
                if let Some(reopening) = time_wait::handle(index, &segment, &mut self.shared, ctx) {
                    let arrival = Arrival { segment: &segment, tuple: &tuple, meta, frame };
                    self.misplaced = self.unknown_segment(arrival, Some(reopening), ctx);
                }
            }
            None => {
                let arrival = Arrival { segment: &segment, tuple: &tuple, meta, frame };
                self.misplaced = self.unknown_segment(arrival, None, ctx);
            }
        }
    }

    /// True when the segment of the last call of [`Tcp::handle_segment`] is for a flow of another worker.
    #[inline]
    pub fn has_misplaced(&self) -> bool {
        self.misplaced.is_some()
    }

    /// That segment, as it came.
    pub fn take_misplaced(&mut self) -> Option<Misplaced> {
        self.misplaced.take()
    }

    #[inline]
    fn connection_segment(&mut self, index: u32, segment: &Segment, frame: Frame, meta: &IpMeta, ctx: &mut Ctx<'_>) {
        let Some(conn) = self.conns.at_mut(index) else { return };
        conn.path.note_ingress(meta);
        let outcome = match conn.state {
            State::SynSent => syn_sent::handle(conn, index, segment, &mut self.shared, ctx),
            _ => synchronized::handle(conn, index, segment, frame, &mut self.shared, ctx),
        };
        if outcome != Outcome::Keep {
            self.apply(index, outcome, ctx);
        }
    }

    /// The 4-tuple is in use: by a connection, a half-open one, or one in TIME-WAIT.
    pub(super) fn in_use(&self, tuple: &Tuple) -> bool {
        find(&self.conns, &self.shared, self.shared.table.hash(tuple), tuple).is_some()
    }
}

/// What lives under a 4-tuple, whose hash is `hash`.
#[inline]
pub(super) fn find(conns: &Slab<Conn>, shared: &Shared, hash: u32, tuple: &Tuple) -> Option<Entry> {
    shared.table.find(hash, |entry| match entry {
        Entry::Connection(index) => conns.at(index).is_some_and(|conn| conn.tuple == *tuple),
        Entry::HalfOpen(index) => shared.listeners.half_open.at(index).is_some_and(|entry| entry.tuple == *tuple),
        Entry::TimeWait(index) => shared.time_waits.slab.at(index).is_some_and(|entry| entry.tuple == *tuple),
    })
}
