//! What was sent and is not acknowledged, a record for each segment (RFC 6675 §3, RFC 8985 §5).
//!
//! ```text
//!   records     [ r0 | r1 | r2 | r3 | r4 | r5 ]   by sequence number: r0 begins at SND.UNA, r5 ends at SND.NXT
//!                 ↑    ↑lost     ↑SACKed
//!   in flight   r2 → r4 → r5 → r0 (sent again)    by time of transmission: RACK looks at the front
//!   lost        r1                                first in, first out: what is sent again next
//! ```
//!
//! Every record that is not SACKed is in exactly one of the two lists. Their links are in the records, so that marking a
//! loss and choosing a retransmission take constant time, and what an acknowledgment costs is in proportion to what it
//! acknowledges for the first time. Records are named by keys that stay the same while earlier ones are acknowledged.

use std::collections::VecDeque;

use super::delivery::Delivery;
use super::rate::Snapshot;
use super::seq::Seq;
use crate::time::Instant;

/// No record.
const NIL: u32 = u32::MAX;
/// Keys count modulo 2³¹, so that none of them is [`NIL`].
const KEYS: u32 = (1 << 31) - 1;
/// Records that a pooled object keeps room for.
const KEEP: usize = 64;

/// Bits of [`Record::flags`].
pub(crate) mod mark {
    /// The peer reported it (RFC 2018).
    pub(crate) const SACKED: u8 = 1;
    /// Taken for lost, and not sent again since.
    pub(crate) const LOST: u8 = 2;
    /// Its last number is the FIN's.
    pub(crate) const FIN: u8 = 4;
    /// The application, not the window, limited sending when it left.
    pub(crate) const APP_LIMITED: u8 = 8;
    /// It left as part of a larger segment, to see whether the path carries that (RFC 4821).
    pub(crate) const SIZE_PROBE: u8 = 16;
}

/// A segment that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// When it was last sent. Different for any two transmissions of a connection.
    pub(crate) sent_at: Instant,
    /// The connection's delivery when it was last sent.
    pub(crate) snapshot: Snapshot,
    pub(crate) start: Seq,
    /// Sequence numbers, the FIN's included.
    pub(crate) len: u32,
    next: u32,
    prev: u32,
    /// How many records on a record may be that is not SACKed: a shortcut over SACKed ones; zero for others.
    skip: u32,
    /// Times that it was sent, 255 at most.
    pub(crate) transmissions: u8,
    pub(crate) flags: u8,
}

impl Record {
    /// A segment that leaves for the first time.
    pub(crate) fn new(start: Seq, len: u32, flags: u8, sent_at: Instant, snapshot: Snapshot) -> Record {
        Record { sent_at, snapshot, start, len, next: NIL, prev: NIL, skip: 0, transmissions: 1, flags }
    }

    #[inline]
    pub(crate) fn end(&self) -> Seq {
        self.start + self.len
    }

    #[inline]
    pub(crate) fn has(&self, mark: u8) -> bool {
        self.flags & mark != 0
    }

    /// Payload bytes.
    #[inline]
    pub(crate) fn data(&self) -> u32 {
        self.len - u32::from(self.has(mark::FIN))
    }
}

/// The records by key.
#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Record>,
    /// Key of the first.
    base: u32,
}

impl Ring {
    #[inline]
    fn position(&self, key: u32) -> usize {
        (key.wrapping_sub(self.base) & KEYS) as usize
    }

    #[inline]
    fn key(&self, position: usize) -> u32 {
        self.base.wrapping_add(position as u32) & KEYS
    }

    #[inline]
    fn get(&self, key: u32) -> Option<&Record> {
        if key == NIL { None } else { self.records.get(self.position(key)) }
    }

    #[inline]
    fn get_mut(&mut self, key: u32) -> Option<&mut Record> {
        if key == NIL {
            return None;
        }
        let position = self.position(key);
        self.records.get_mut(position)
    }

    fn pop_front(&mut self) {
        self.records.pop_front();
        self.base = self.key(1);
    }
}

/// A list through the records.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        List { head: NIL, tail: NIL }
    }
}

impl List {
    #[inline]
    fn push_back(&mut self, ring: &mut Ring, key: u32) {
        let tail = self.tail;
        match ring.get_mut(tail) {
            Some(last) => last.next = key,
            None => self.head = key,
        }
        if let Some(record) = ring.get_mut(key) {
            (record.prev, record.next) = (tail, NIL);
        }
        self.tail = key;
    }

    fn push_front(&mut self, ring: &mut Ring, key: u32) {
        let head = self.head;
        match ring.get_mut(head) {
            Some(first) => first.prev = key,
            None => self.tail = key,
        }
        if let Some(record) = ring.get_mut(key) {
            (record.prev, record.next) = (NIL, head);
        }
        self.head = key;
    }

    #[inline]
    fn unlink(&mut self, ring: &mut Ring, key: u32) {
        let Some(&Record { prev, next, .. }) = ring.get(key) else { return };
        match ring.get_mut(prev) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match ring.get_mut(next) {
            Some(after) => after.prev = prev,
            None => self.tail = prev,
        }
    }
}

/// The records of a connection. See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    ring: Ring,
    flight: List,
    lost: List,
    in_flight_bytes: u32,
    lost_bytes: u32,
    sacked_bytes: u32,
    sacked_segments: u32,
    /// Of the bytes in flight those that were sent more than once.
    repeated_bytes: u32,
    /// The end of the highest segment that was ever acknowledged or SACKed (RFC 8985 §5.2, RACK.fack).
    fack: Seq,
}

impl Scoreboard {
    pub(crate) fn clear(&mut self) {
        let mut ring = core::mem::take(&mut self.ring);
        ring.records.clear();
        if ring.records.capacity() > KEEP {
            ring.records.shrink_to(KEEP);
        }
        *self = Scoreboard { ring, ..Scoreboard::default() };
    }

    /// Bytes of memory that it keeps.
    #[inline]
    pub(crate) fn kept(&self) -> usize {
        self.ring.records.capacity() * size_of::<Record>()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.records.is_empty()
    }

    /// Bytes in the network (RFC 6675 §4, SetPipe): neither SACKed nor taken for lost.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight_bytes
    }

    /// Bytes to be sent again.
    #[inline]
    pub(crate) fn lost(&self) -> u32 {
        self.lost_bytes
    }

    #[inline]
    pub(crate) fn sacked(&self) -> u32 {
        self.sacked_bytes
    }

    #[inline]
    pub(crate) fn sacked_segments(&self) -> u32 {
        self.sacked_segments
    }

    #[inline]
    pub(crate) fn repeated(&self) -> u32 {
        self.repeated_bytes
    }

    #[inline]
    pub(crate) fn fack(&self) -> Seq {
        self.fack
    }

    /// The record of a key.
    #[inline]
    pub(crate) fn get(&self, key: u32) -> Option<&Record> {
        self.ring.get(key)
    }

    /// The record at SND.UNA.
    #[inline]
    pub(crate) fn first(&self) -> Option<(u32, &Record)> {
        self.ring.records.front().map(|record| (self.ring.base, record))
    }

    /// The record before SND.NXT.
    pub(crate) fn last(&self) -> Option<(u32, &Record)> {
        let position = self.ring.records.len().checked_sub(1)?;
        self.ring.records.get(position).map(|record| (self.ring.key(position), record))
    }

    /// Of what is in flight, the record sent longest ago.
    #[inline]
    pub(crate) fn oldest(&self) -> Option<(u32, &Record)> {
        self.get(self.flight.head).map(|record| (self.flight.head, record))
    }

    /// What is sent again next.
    #[inline]
    pub(crate) fn next_lost(&self) -> Option<(u32, &Record)> {
        self.get(self.lost.head).map(|record| (self.lost.head, record))
    }

    /// A new segment leaves.
    #[inline]
    pub(crate) fn push(&mut self, record: Record) {
        if self.ring.records.is_empty() {
            self.fack = record.start;
        }
        self.in_flight_bytes += record.len;
        let key = self.ring.key(self.ring.records.len());
        self.ring.records.push_back(record);
        self.flight.push_back(&mut self.ring, key);
    }

    /// A segment leaves again, lost or (as a probe) not.
    pub(crate) fn resend(&mut self, key: u32, sent_at: Instant, snapshot: Snapshot, app_limited: bool) {
        let Some(&record) = self.ring.get(key) else { return };
        self.take_out(key, &record);
        if let Some(record) = self.ring.get_mut(key) {
            (record.sent_at, record.snapshot) = (sent_at, snapshot);
            record.transmissions = record.transmissions.saturating_add(1);
            record.flags &= mark::FIN;
            record.flags |= if app_limited { mark::APP_LIMITED } else { 0 };
            record.skip = 0;
        }
        self.in_flight_bytes += record.len;
        self.repeated_bytes += record.len;
        self.flight.push_back(&mut self.ring, key);
    }

    /// Takes a record out of its list and out of the sums; its marks stay as they are.
    #[inline]
    fn take_out(&mut self, key: u32, record: &Record) {
        if record.has(mark::SACKED) {
            self.sacked_bytes -= record.len;
            self.sacked_segments -= 1;
        } else if record.has(mark::LOST) {
            self.lost_bytes -= record.len;
            self.lost.unlink(&mut self.ring, key);
        } else {
            self.in_flight_bytes -= record.len;
            if record.transmissions > 1 {
                self.repeated_bytes -= record.len;
            }
            self.flight.unlink(&mut self.ring, key);
        }
    }

    /// Everything before `una` is acknowledged.
    #[inline]
    pub(crate) fn acknowledge(&mut self, una: Seq, delivery: &mut Delivery) {
        while let Some(&record) = self.ring.records.front() {
            if record.end().after(una) {
                self.cut_front(una, &record, delivery);
                break;
            }
            self.take_out(self.ring.base, &record);
            if !record.has(mark::SACKED) {
                delivery.note(&record);
            }
            self.ring.pop_front();
        }
        self.fack = self.fack.max(una);
    }

    /// The first record is acknowledged in part, as after a middlebox cut it in two.
    fn cut_front(&mut self, una: Seq, record: &Record, delivery: &mut Delivery) {
        let gone = una.saturating_since(record.start);
        if gone == 0 {
            return;
        }
        if record.has(mark::SACKED) {
            self.sacked_bytes -= gone;
        } else {
            delivery.bytes += gone;
            if record.has(mark::LOST) {
                self.lost_bytes -= gone;
            } else {
                self.in_flight_bytes -= gone;
                self.repeated_bytes -= if record.transmissions > 1 { gone } else { 0 };
            }
        }
        if let Some(first) = self.ring.records.front_mut() {
            first.start = una;
            first.len -= gone;
        }
    }

    /// The peer reported `start..end`. A record that is covered in part only counts as not reported.
    pub(crate) fn sack(&mut self, start: Seq, end: Seq, delivery: &mut Delivery) {
        let mut position = self.ring.records.partition_point(|record| record.start.before(start));
        loop {
            position = self.after_sacked(position);
            let Some(&record) = self.ring.records.get(position) else { return };
            if record.end().after(end) {
                return;
            }
            self.take_out(self.ring.key(position), &record);
            delivery.note(&record);
            delivery.sacked += record.len;
            self.sacked_bytes += record.len;
            self.sacked_segments += 1;
            self.fack = self.fack.max(record.end());
            if let Some(record) = self.ring.records.get_mut(position) {
                record.flags = record.flags & !mark::LOST | mark::SACKED;
                record.skip = 1;
            }
            position += 1;
        }
    }

    /// The first position from `position` on whose record is not SACKED. Shortcuts double on the way (union-find with
    /// path halving), so that no peer makes the same run be walked again and again.
    fn after_sacked(&mut self, mut position: usize) -> usize {
        while let Some(&Record { skip, .. }) = self.ring.records.get(position)
            && skip > 0
        {
            let next = position + skip as usize;
            let further = self.ring.records.get(next).map_or(0, |record| record.skip);
            if let Some(record) = self.ring.records.get_mut(position) {
                record.skip = skip + further;
            }
            position = next;
        }
        position
    }

    /// A segment in flight is taken for lost; its bytes.
    pub(crate) fn mark_lost(&mut self, key: u32) -> u32 {
        let Some(&record) = self.ring.get(key) else { return 0 };
        if record.has(mark::SACKED | mark::LOST) {
            return 0;
        }
        self.take_out(key, &record);
        self.lost_bytes += record.len;
        if let Some(record) = self.ring.get_mut(key) {
            record.flags |= mark::LOST;
        }
        // What was lost again goes before what comes later in the stream: the receiver waits for it.
        let first = self.next_lost().is_some_and(|(_, head)| record.start.before(head.start));
        let push = if first { List::push_front } else { List::push_back };
        push(&mut self.lost, &mut self.ring, key);
        record.len
    }

    /// Everything counts as lost, to be sent again in order, but for what was sent after `cutoff` and is not first. With
    /// `reneged` what was SACKed, too (RFC 2018 §8). `each` is told of those that were not lost before.
    pub(crate) fn mark_all_lost(&mut self, cutoff: Instant, reneged: bool, mut each: impl FnMut(&Record)) {
        for position in 0..self.ring.records.len() {
            let key = self.ring.key(position);
            let Some(&record) = self.ring.get(key) else { break };
            let sacked = record.has(mark::SACKED) && !reneged;
            let recent = position > 0 && !record.has(mark::LOST | mark::SACKED) && record.sent_at > cutoff;
            if sacked || recent {
                continue;
            }
            if !record.has(mark::LOST) {
                each(&record);
            }
            self.take_out(key, &record);
            self.lost_bytes += record.len;
            if let Some(record) = self.ring.get_mut(key) {
                record.flags = record.flags & !mark::SACKED | mark::LOST;
                record.skip = 0;
            }
            self.lost.push_back(&mut self.ring, key);
        }
    }

    /// What was taken for lost was not: it is in flight, as it was before all that is.
    pub(crate) fn unmark_lost(&mut self) {
        while let Some(&record) = self.ring.get(self.lost.tail) {
            let key = self.lost.tail;
            self.take_out(key, &record);
            self.in_flight_bytes += record.len;
            self.repeated_bytes += if record.transmissions > 1 { record.len } else { 0 };
            if let Some(record) = self.ring.get_mut(key) {
                record.flags &= !mark::LOST;
            }
            self.flight.push_front(&mut self.ring, key);
        }
    }

    /// Segments became smaller: what is not SACKed counts as lost, cut anew into records of `mss` bytes.
    pub(crate) fn recut(&mut self, mss: u32) {
        let old = core::mem::take(&mut self.ring.records);
        *self = Scoreboard { fack: self.fack, ..Scoreboard::default() };
        let mut run: Option<Record> = None;
        for record in old {
            if !record.has(mark::SACKED) {
                let first = run.unwrap_or(Record { len: 0, ..record });
                let transmissions = first.transmissions.max(record.transmissions);
                run = Some(Record { len: first.len + record.len, transmissions, flags: record.flags, ..first });
                continue;
            }
            if let Some(run) = run.take() {
                self.push_cut(run, mss);
            }
            self.sacked_bytes += record.len;
            self.sacked_segments += 1;
            self.ring.records.push_back(Record { skip: 1, ..record });
        }
        if let Some(run) = run {
            self.push_cut(run, mss);
        }
    }

    fn push_cut(&mut self, run: Record, mss: u32) {
        let (mut start, end) = (run.start, run.end());
        while start.before(end) {
            // The FIN stays with the last byte.
            let rest = end.since(start);
            let last = rest - u32::from(run.has(mark::FIN)) <= mss;
            let len = if last { rest } else { mss };
            let flags = mark::LOST | if last { run.flags & mark::FIN } else { 0 };
            let key = self.ring.key(self.ring.records.len());
            self.ring.records.push_back(Record { start, len, skip: 0, flags, ..run });
            self.lost_bytes += len;
            self.lost.push_back(&mut self.ring, key);
            start += len;
        }
    }

    /// Checks what must hold between any two calls, for audits: `una..nxt` is covered, and the sums are right.
    pub(crate) fn audit(&self, una: Seq, nxt: Seq) -> Result<(), String> {
        let mut at = una;
        let mut sums = [0u32; 4];
        for record in &self.ring.records {
            if record.start != at {
                return Err(format!("a record starts at {:?} and not at {at:?}", record.start));
            }
            at = record.end();
            let which = usize::from(record.has(mark::SACKED)) + 2 * usize::from(record.has(mark::LOST));
            sums[which.min(3)] += record.len;
        }
        let ours = [self.in_flight_bytes, self.sacked_bytes, self.lost_bytes, 0];
        let listed = [self.length(self.flight), self.length(self.lost)];
        if at != nxt && !(self.is_empty() && una == nxt) {
            return Err(format!("records end at {at:?} and not at {nxt:?}"));
        }
        if sums != ours || listed != [self.in_flight_bytes, self.lost_bytes] {
            return Err(format!(
                "bytes in flight, SACKed and lost: counted {sums:?}, listed {listed:?}, noted {ours:?}"
            ));
        }
        Ok(())
    }

    fn length(&self, list: List) -> u32 {
        let following = |record: &&Record| self.get(record.next);
        core::iter::successors(self.get(list.head), following).map(|record| record.len).sum()
    }
}

#[cfg(test)]
#[path = "tests/scoreboard.rs"]
mod tests;
