//! A session that became a capture: pcapng from the source to the socket, within the limits.

use super::backend::{CaptureEvent, CaptureSource};
use mgmt_api::CaptureRequest;
use mgmt_api::capture::pcapng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How often an idle capture looks whether its reader is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Streams until a limit, the source, or the reader ends it; then says how much there was and how much was lost.
///
/// A reader that does not take what there is holds up this thread only: the source's own ring fills, and the source
/// counts what it loses.
pub(super) fn stream(stream: &UnixStream, source: &mut dyn CaptureSource, request: &CaptureRequest) -> io::Result<()> {
    stream.set_write_timeout(None)?;
    let deadline = request.max_milliseconds.map(|limit| Instant::now() + Duration::from_millis(limit));
    let mut budget = Budget::new(request);
    let mut target = stream;
    while !budget.is_spent() && !reader_has_left(stream) {
        let left = deadline.map_or(LOOK, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        match source.next(left.min(LOOK)) {
            CaptureEvent::Blocks(bytes) => {
                let fitting = budget.admit(&bytes);
                target.write_all(&bytes[..fitting])?;
            }
            CaptureEvent::Idle => {}
            CaptureEvent::Ended => break,
        }
    }
    target.write_all(&budget.statistics(source.lost()))?;
    target.flush()
}

/// Whether the reader closed, or said with a half close that it wants no more.
fn reader_has_left(stream: &UnixStream) -> bool {
    let mut ready = [PollFd::new(stream, PollFlags::IN | PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut ready, Some(&now)), Ok(1..))
}

/// What may still be sent.
struct Budget {
    packets: u64,
    bytes: u64,
    spent: bool,
    /// Whether the section header was sent.
    begun: bool,
    /// Frames sent and the last time stamp, by interface.
    seen: BTreeMap<u32, (u64, [u8; 8])>,
}

impl Budget {
    fn new(request: &CaptureRequest) -> Budget {
        let packets = request.max_packets.unwrap_or(u64::MAX);
        let bytes = request.max_bytes.unwrap_or(u64::MAX);
        Budget { packets, bytes, spent: packets == 0, begun: false, seen: BTreeMap::new() }
    }

    fn is_spent(&self) -> bool {
        self.spent
    }

    /// How many of these bytes may be sent: whole blocks up to the limit.
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let mut fitting = 0;
        for block in pcapng::blocks(bytes) {
            let length = block.bytes.len() as u64;
            if length > self.bytes || self.spent {
                self.spent = true;
                break;
            }
            self.bytes -= length;
            fitting += block.bytes.len();
            self.begun = true;
            if let Some((interface, stamp)) = block.packet_stamp() {
                self.packets -= 1;
                self.spent = self.packets == 0;
                let seen = self.seen.entry(interface).or_default();
                *seen = (seen.0 + 1, stamp);
            }
        }
        fitting
    }

    /// The closing figures: one block for each interface that had frames. What was lost is told with the first: the
    /// rings that lose are those of the workers, not of the interfaces.
    fn statistics(&self, lost: u64) -> Vec<u8> {
        if !self.begun {
            return Vec::new();
        }
        if self.seen.is_empty() {
            return pcapng::statistics(0, [0; 8], lost, lost);
        }
        let mut lost = lost;
        let mut blocks = Vec::new();
        for (&interface, &(sent, stamp)) in &self.seen {
            blocks.extend(pcapng::statistics(interface, stamp, sent + lost, lost));
            lost = 0;
        }
        blocks
    }
}
