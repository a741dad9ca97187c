//! Sets of sequence ranges, and the SACK blocks that a receiver reports (RFC 2018, RFC 2883).

use super::seq::Seq;

/// A half-open range of sequence numbers.
pub(crate) type Range = (Seq, Seq);

/// Sorted, disjoint, not touching ranges; bounded in number by the caller of [`RangeSet::insert`].
#[derive(Clone, Debug, Default)]
pub(crate) struct RangeSet {
    ranges: Vec<Range>,
    bytes: u32,
}

impl RangeSet {
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        self.bytes = 0;
    }

    /// Numbers covered.
    #[inline]
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Index of the first range that ends after `seq`.
    fn position(&self, seq: Seq) -> usize {
        self.ranges.partition_point(|range| range.1.at_or_before(seq))
    }

    /// The range that covers `seq`.
    pub(crate) fn covering(&self, seq: Seq) -> Option<Range> {
        self.ranges.get(self.position(seq)).copied().filter(|range| range.0.at_or_before(seq))
    }

    /// Adds `start..end`, merging; the numbers that were new, or `None` when a range more would exceed `limit`.
    pub(crate) fn insert(&mut self, start: Seq, end: Seq, limit: usize) -> Option<u32> {
        if start.at_or_after(end) {
            return Some(0);
        }
        // Ranges that touch or overlap the new one: `first..last`.
        let first = self.ranges.partition_point(|range| range.1.before(start));
        let mut last = first;
        let mut merged = (start, end);
        let mut known = 0;
        while let Some(range) = self.ranges.get(last).filter(|range| range.0.at_or_before(end)) {
            merged = (merged.0.min(range.0), merged.1.max(range.1));
            known += range.1.since(range.0);
            last += 1;
        }
        if first == last {
            if self.ranges.len() >= limit {
                return None;
            }
            self.ranges.insert(first, merged);
        } else {
            self.ranges[first] = merged;
            self.ranges.drain(first + 1..last);
        }
        let new = merged.1.since(merged.0) - known;
        self.bytes += new;
        Some(new)
    }

    /// Forgets everything from `seq` on.
    pub(crate) fn remove_from(&mut self, seq: Seq) {
        while let Some(last) = self.ranges.last_mut().filter(|range| range.1.after(seq)) {
            let start = last.0.max(seq);
            self.bytes -= last.1.since(start);
            last.1 = start;
            if last.0 == start {
                self.ranges.pop();
            }
        }
    }

    /// Forgets everything before `seq`.
    pub(crate) fn remove_before(&mut self, seq: Seq) {
        let gone = self.position(seq);
        for range in self.ranges.drain(..gone) {
            self.bytes -= range.1.since(range.0);
        }
        if let Some(first) = self.ranges.first_mut() {
            let cut = seq.saturating_since(first.0);
            first.0 += cut;
            self.bytes -= cut;
        }
    }
}

/// Blocks of one SACK option at most (RFC 2018 §3): four without timestamps.
pub(crate) const MAX_BLOCKS: usize = 4;

/// SACK blocks, ready to be sent or as received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) blocks: [Range; MAX_BLOCKS],
    pub(crate) count: u8,
}

impl Blocks {
    pub(crate) fn as_slice(&self) -> &[Range] {
        self.blocks.get(..usize::from(self.count)).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn push(&mut self, block: Range) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.count)) {
            *slot = block;
            self.count += 1;
        }
    }
}

/// What the receiver remembers to order its blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reporter {
    /// A number inside of each block reported, the most recent first.
    recent: [Seq; MAX_BLOCKS],
    known: u8,
    duplicate: Option<Range>,
}

impl Reporter {
    /// Data at `seq` arrived out of order.
    pub(crate) fn note(&mut self, seq: Seq) {
        self.recent.copy_within(0..MAX_BLOCKS - 1, 1);
        self.recent[0] = seq;
        self.known = (self.known + 1).min(MAX_BLOCKS as u8);
    }

    /// RFC 2883 §4: data that had been received before arrived again; it is reported once.
    pub(crate) fn note_duplicate(&mut self, start: Seq, end: Seq) {
        self.duplicate = Some((start, end));
    }

    pub(crate) fn has_duplicate(&self) -> bool {
        self.duplicate.is_some()
    }

    /// The blocks of the next acknowledgment, `limit` at most.
    pub(crate) fn blocks(&mut self, held: &RangeSet, limit: usize) -> Blocks {
        let mut blocks = Blocks::default();
        // RFC 2883 §4: the duplicate comes first.
        if let Some(duplicate) = self.duplicate.take() {
            blocks.push(duplicate);
        }
        let first = usize::from(blocks.count);
        // RFC 2018 §4: the block of the latest segment, then those reported most recently.
        for &seq in self.recent.iter().take(usize::from(self.known)) {
            if usize::from(blocks.count) >= limit.min(MAX_BLOCKS) {
                break;
            }
            if let Some(range) = held.covering(seq)
                && !blocks.as_slice().iter().skip(first).any(|known| *known == range)
            {
                blocks.push(range);
            }
        }
        blocks
    }
}

#[cfg(test)]
#[path = "tests/sack.rs"]
mod tests;
