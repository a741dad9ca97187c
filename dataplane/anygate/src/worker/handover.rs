//! Packets that came to the wrong queue, on their way to the worker that has their flow.
//!
//! ```text
//!   worker 0                                                                     worker 1
//!   Stack::poll_foreign ─ copy ─▶ lane 0▸1 [packet packet ....] ─ copy ─▶ frame ─▶ Stack::handle_handed_over
//!         ▲                                                                │
//!         └──────────────── returned to 0 ◀──── the emptied buffer ◀───────┘
//! ```
//!
//! Each ordered pair of workers has a lane: a bounded queue with one producer and one consumer, so the packets of a flow
//! stay in the order in which they came. A frame belongs to the pool of its queue and its thread, so its bytes travel in
//! a buffer, which returns to the worker that filled it: after the first packets nothing is allocated. A full lane loses
//! the packet, counted, as a full queue of a NIC does.
//!
//! Waking: the producer puts packets in, then raises `waiting` (sequentially consistent), then rings. The consumer takes
//! `waiting` down before it looks at its lanes, and before it sleeps it arms its bell and looks at `waiting` again. So
//! either it sees the flag, or the producer sees it asleep; a packet never waits for a sleep to end.
//!
//! Nothing here knows of HTTP or of [`super::Worker`]: any loop over a port and a stack can use it.

use crate::wake::Bell;
use crossbeam_queue::ArrayQueue;
use netstack::frame::{HeapRegion, RxChecksum};
use netstack::stack::Foreign;
use netstack::{Frame, FramePool, Instant, Stack};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Packets of one lane, and buffers that one worker may have under way: 2 MiB of Ethernet frames.
const LANE_PACKETS: usize = 1024;
/// Packets taken from each lane in one turn; as many as from the port.
const BURST_PACKETS: usize = 32;
/// Bytes of a fresh buffer.
const BUFFER_BYTES: usize = 2048;
/// Packets longer than a frame (joined by the port, or put together from fragments) that are held at once.
const LARGE_FRAMES: usize = 8;
/// Room for the longest packet, its link header, and headroom.
const LARGE_BYTES: usize = 68 * 1024;
/// Bytes before the data of a large frame.
const HEADROOM_BYTES: usize = 128;

netstack::counters! {
    /// What a worker counts of packets on their way to others. What it takes over is counted by its stack.
    pub enum HandoverCounter / HandoverCounters {
        HandedOver = "handed_over", "packets handed to the worker that has their flow";
        DropLaneFull = "drop_lane_full", "packets for another worker that takes them too slowly";
        DropNoBuffer = "drop_no_buffer", "packets for other workers while all buffers are under way";
        DropNoFrame = "drop_handed_over_no_frame", "packets from another worker while the frame pool is empty";
    }
}

/// A packet under way, or an empty buffer on its way back.
struct Packet {
    bytes: Vec<u8>,
    rx_checksum: RxChecksum,
}

/// What other workers see of one.
struct Place {
    bell: Bell,
    /// There may be packets in its lanes.
    waiting: AtomicBool,
    /// It has nothing left to do in a drain.
    idle: AtomicBool,
    /// `lanes[s]` has what worker `s` handed to this one.
    lanes: Box<[ArrayQueue<Packet>]>,
    /// Buffers that come back to it.
    returned: ArrayQueue<Packet>,
}

/// One worker's end of the lanes before it has a thread: frames, which [`Handover`] may hold, do not change threads.
pub struct Seat {
    number: usize,
    places: Arc<[Place]>,
}

/// One worker's end of the lanes of an interface.
pub struct Handover {
    number: usize,
    places: Arc<[Place]>,
    /// Buffers made so far.
    made: usize,
    /// Workers that were handed something and not yet woken.
    to_wake: Vec<usize>,
    /// Frames for packets that the port's do not hold, made when first needed.
    large: Option<FramePool>,
    counters: HandoverCounters,
}

/// The ends of the workers of one interface, in the order of their bells. Their numbers are those of
/// [`netstack::FlowDirectory::worker`].
pub fn group(bells: &[Bell]) -> Vec<Seat> {
    let place = |bell: &Bell| Place {
        bell: bell.clone(),
        waiting: AtomicBool::new(false),
        idle: AtomicBool::new(false),
        lanes: bells.iter().map(|_| ArrayQueue::new(LANE_PACKETS)).collect(),
        returned: ArrayQueue::new(LANE_PACKETS),
    };
    let places: Arc<[Place]> = bells.iter().map(place).collect();
    (0..bells.len()).map(|number| Seat { number, places: places.clone() }).collect()
}

impl Handover {
    /// To be called on the worker's thread.
    pub fn new(Seat { number, places }: Seat) -> Handover {
        let to_wake = Vec::with_capacity(places.len());
        Handover { number, places, made: 0, to_wake, large: None, counters: HandoverCounters::default() }
    }

    /// Hands out what the stack has for others, and gives it what others have for it; returns how many packets the
    /// stack got. To be called after each burst from the port.
    #[inline]
    pub fn exchange(&mut self, now: Instant, stack: &mut Stack) -> usize {
        while let Some(foreign) = stack.poll_foreign() {
            self.hand_out(&foreign);
        }
        if !self.to_wake.is_empty() {
            self.wake();
        }
        if self.is_waiting() { self.take(now, stack) } else { 0 }
    }

    /// True while there may be something to take: do not sleep.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.places.get(self.number).is_some_and(|place| place.waiting.load(Ordering::SeqCst))
    }

    /// Says whether this worker has nothing left to do in a drain; true when no worker has. Until then its queue may
    /// still bring packets of the others' flows.
    pub fn all_idle(&self, idle: bool) -> bool {
        let Some(own) = self.places.get(self.number) else { return idle };
        if own.idle.swap(idle, Ordering::SeqCst) != idle {
            self.places.iter().for_each(|place| place.bell.ring());
        }
        self.places.iter().all(|place| place.idle.load(Ordering::SeqCst))
    }

    /// What was counted.
    pub fn counters(&self) -> &HandoverCounters {
        &self.counters
    }

    #[cold]
    fn hand_out(&mut self, foreign: &Foreign) {
        let owner = usize::from(foreign.owner());
        let Some(mut packet) = self.buffer() else { return self.counters.bump(HandoverCounter::DropNoBuffer) };
        packet.bytes.clear();
        foreign.parts().into_iter().for_each(|part| packet.bytes.extend_from_slice(part));
        packet.rx_checksum = foreign.rx_checksum();
        let lane = self.places.get(owner).and_then(|place| place.lanes.get(self.number));
        let refused = match lane {
            Some(lane) => lane.push(packet).err(),
            None => Some(packet),
        };
        match refused {
            None => {
                self.counters.bump(HandoverCounter::HandedOver);
                if !self.to_wake.contains(&owner) {
                    self.to_wake.push(owner);
                }
            }
            Some(packet) => {
                self.counters.bump(HandoverCounter::DropLaneFull);
                give_back(&self.places, self.number, packet);
            }
        }
    }

    /// An empty buffer: one that came back, or a new one while there are few.
    fn buffer(&mut self) -> Option<Packet> {
        let back = self.places.get(self.number)?.returned.pop();
        if back.is_some() || self.made == LANE_PACKETS {
            return back;
        }
        self.made += 1;
        Some(Packet { bytes: Vec::with_capacity(BUFFER_BYTES), rx_checksum: RxChecksum::Unknown })
    }

    fn wake(&mut self) {
        for place in self.to_wake.drain(..).filter_map(|owner| self.places.get(owner)) {
            place.waiting.store(true, Ordering::SeqCst);
            place.bell.ring();
        }
    }

    #[cold]
    fn take(&mut self, now: Instant, stack: &mut Stack) -> usize {
        let places = self.places.clone();
        let Some(own) = places.get(self.number) else { return 0 };
        own.waiting.store(false, Ordering::SeqCst);
        let (mut taken, mut left) = (0, false);
        for (sender, lane) in own.lanes.iter().enumerate() {
            for packet in core::iter::from_fn(|| lane.pop()).take(BURST_PACKETS) {
                match self.frame(stack.pool(), &packet) {
                    Some(frame) => stack.handle_handed_over(now, frame),
                    None => self.counters.bump(HandoverCounter::DropNoFrame),
                }
                taken += 1;
                give_back(&places, sender, packet);
            }
            left |= !lane.is_empty();
        }
        if left {
            own.waiting.store(true, Ordering::SeqCst);
        }
        taken
    }

    /// A frame with the packet, from the port's pool when it fits there.
    fn frame(&mut self, pool: &FramePool, packet: &Packet) -> Option<Frame> {
        let fits = packet.bytes.len() <= pool.frame_size().saturating_sub(pool.headroom());
        let mut frame = if fits { pool.alloc()? } else { self.large_frame()? };
        frame.extend(packet.bytes.len())?.copy_from_slice(&packet.bytes);
        frame.rx_checksum = packet.rx_checksum;
        Some(frame)
    }

    fn large_frame(&mut self) -> Option<Frame> {
        let make =
            || FramePool::new(Box::new(HeapRegion::new(LARGE_FRAMES * LARGE_BYTES)), LARGE_BYTES, HEADROOM_BYTES);
        self.large.get_or_insert_with(make).alloc()
    }
}

/// Sends a buffer back to the worker that made it; there is room for all that it made.
fn give_back(places: &[Place], maker: usize, mut packet: Packet) {
    // One that grew for a long packet does not keep its size.
    packet.bytes.clear();
    packet.bytes.shrink_to(BUFFER_BYTES);
    if let Some(place) = places.get(maker) {
        // `returned` holds as many as are ever made, so this cannot fail.
        let _ = place.returned.push(packet);
    }
}
