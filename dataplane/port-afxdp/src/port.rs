//! One queue: bursts between its rings and the caller's frames.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use ::port::{Capabilities, Port, PortCounter, PortCounters, PortError, PortInfo, checksum, copy_frame};
use netstack::frame::{RxChecksum, TxChecksum};
use netstack::rss::Steering;
use netstack::{Frame, FramePool, Instant, RawFrame};

use crate::config::CopyMode;
use crate::device::{LINK_OVERHEAD, QueueBuilder, permission};
use crate::join::{JoinError, Joiner};
use crate::link::{LinkFacts, LinkQuery};
use crate::socket::{SetupError, SocketConfig, Step, XskSocket};
use crate::sys;
use crate::umem::Umem;

/// The fill ring is topped up when at least this many entries are free: the shared position is then written once for
/// many frames, and the ring is never emptier than this.
const REFILL_FRAMES: u32 = 32;
/// Most completions taken from the ring at once; more wait for the next burst.
const COMPLETIONS_PER_BURST: u32 = 256;
/// Most `sendto` calls for one burst: a kernel without the 6.17 budget option sends 32 frames a call.
const KICKS_PER_BURST: usize = 64;

/// One queue pair of an interface. Belongs to the thread that built it.
pub struct AfXdpPort {
    socket: XskSocket,
    pool: FramePool,
    joiner: Option<Joiner>,
    info: PortInfo,
    counters: PortCounters,
    links: LinkQuery,
    steering: Option<Steering>,
    was_up: bool,
    /// The frame size is a power of two: `address >> frame_shift` is the frame, the rest the place in it.
    frame_shift: u32,
    rx_checksum: RxChecksum,
    max_tx_bytes: usize,
    /// Frames that refilling leaves in the pool, so that answers can always be sent.
    tx_reserve: usize,
    busy_poll: bool,
    /// The kernel took not all of the transmit ring at the last kick.
    kick_again: bool,
    huge_pages: bool,
}

impl AfXdpPort {
    pub(crate) fn open(builder: QueueBuilder) -> Result<AfXdpPort, PortError> {
        let QueueBuilder {
            config,
            link,
            profile,
            mode,
            queue,
            frame_bytes,
            multi_buffer,
            socket,
            links,
            steering,
            sockets,
        } = builder;
        let bytes = config.frames as usize * frame_bytes as usize;
        let umem = Umem::map(bytes, config.huge_pages)
            .map_err(|error| PortError::host(format!("no memory for {bytes} bytes of frames")).caused_by(error))?;
        let huge_pages = umem.is_huge();
        let pool = FramePool::new(Box::new(umem), frame_bytes as usize, config.headroom);
        let wanted = SocketConfig {
            ifindex: link.index,
            queue,
            ring_entries: config.ring_entries,
            copy: config.copy,
            multi_buffer,
            busy_poll: config.busy_poll,
        };
        let socket = XskSocket::open(socket, &pool, &wanted)
            .map_err(|SetupError { step, error }| setup_error(step, error, &link, queue, config.copy, bytes))?;
        let descriptor = socket.fd().as_raw_fd();
        let mut port = AfXdpPort {
            joiner: socket.multi_buffer.then(|| Joiner::new(config.jumbo_frames as usize)),
            info: PortInfo {
                kind: "af_xdp",
                interface: link.name.clone(),
                queue: queue as u16,
                mode: mode.name(),
                zero_copy: socket.zero_copy,
                mac: link.mac,
                mtu: u16::try_from(link.mtu).unwrap_or(u16::MAX),
            },
            counters: PortCounters::default(),
            links,
            steering,
            was_up: link.running,
            frame_shift: frame_bytes.trailing_zeros(),
            rx_checksum: if profile.partial_checksums { RxChecksum::MaybePartial } else { RxChecksum::Unknown },
            max_tx_bytes: ((link.mtu + LINK_OVERHEAD) as usize).min(frame_bytes as usize),
            tx_reserve: (config.frames / 8).min(256) as usize,
            busy_poll: config.busy_poll.is_some(),
            kick_again: false,
            huge_pages,
            socket,
            pool,
        };
        port.refill();
        // Last: from now on packets arrive.
        sockets.insert(&queue.to_ne_bytes(), &descriptor.to_ne_bytes()).map_err(|error| {
            PortError::host(format!("queue {queue} of {} cannot be redirected to", link.name)).caused_by(error)
        })?;
        Ok(port)
    }

    /// True when the frames lie on 2 MiB pages.
    pub fn on_huge_pages(&self) -> bool {
        self.huge_pages
    }

    /// Gives free frames to the kernel until the fill ring is full or the pool at its reserve.
    #[inline]
    fn refill(&mut self) {
        let spare = self.pool.available().saturating_sub(self.tx_reserve);
        let room = self.socket.fill.room(u32::MAX);
        if room < REFILL_FRAMES || spare == 0 {
            return;
        }
        for _ in 0..room.min(spare as u32) {
            let Some(frame) = self.pool.alloc() else { break };
            let address = u64::from(frame.into_raw().index) << self.frame_shift;
            self.socket.fill.push(address);
        }
        self.socket.fill.publish();
    }

    /// Returns frames that were sent to the pool.
    #[inline]
    fn reap(&mut self) {
        let done = self.socket.completion.available(COMPLETIONS_PER_BURST);
        for _ in 0..done {
            let address = self.socket.completion.take();
            // SAFETY: the kernel returns each address that was put on the transmit ring once; the frame was given
            // away by `into_raw` when it was put there. An index outside of the pool is ignored.
            unsafe { self.pool.reclaim((address >> self.frame_shift) as u32) };
        }
        if done > 0 {
            self.socket.completion.release();
        }
    }

    /// The frame behind a received descriptor; `None` (counted) when the descriptor is no place in a frame.
    #[inline]
    fn claim(&mut self, descriptor: libc::xdp_desc) -> Option<Frame> {
        let index = (descriptor.addr >> self.frame_shift) as u32;
        let start = (descriptor.addr & ((1 << self.frame_shift) - 1)) as u32;
        // SAFETY: the frame was given away by `refill`, and the kernel returns each filled frame once.
        let frame = unsafe { self.pool.claim(RawFrame { index, start, len: descriptor.len }) };
        if frame.is_none() {
            self.counters.bump(PortCounter::DropRxInvalidDescriptor);
            // SAFETY: as above; the frame itself is whole, only its bounds are wrong.
            unsafe { self.pool.reclaim(index) };
        }
        frame
    }

    /// A piece of a packet in several buffers; the packet with its last piece.
    fn join(&mut self, piece: &Frame, more: bool) -> Option<Frame> {
        let Some(joiner) = &mut self.joiner else {
            // The kernel sends pieces only to sockets that asked; a piece alone is no packet.
            if !more {
                self.counters.bump(PortCounter::DropRxOversize);
            }
            return None;
        };
        match joiner.piece(piece.data(), more)? {
            Ok(frame) => {
                self.counters.bump(PortCounter::RxJoined);
                Some(frame)
            }
            Err(JoinError::NoFrame) => {
                self.counters.bump(PortCounter::DropRxNoJumboFrame);
                None
            }
            Err(JoinError::TooLong) => {
                self.counters.bump(PortCounter::DropRxOversize);
                None
            }
        }
    }

    /// Makes the kernel take what is on the transmit ring, if it asks to be told. In copy mode the call itself sends
    /// the frames.
    fn kick(&mut self) {
        self.kick_again = false;
        if !self.socket.tx.needs_wakeup() {
            return;
        }
        let mut pending = self.socket.tx.pending();
        for _ in 0..KICKS_PER_BURST {
            if pending == 0 {
                return;
            }
            self.counters.bump(PortCounter::Wakeups);
            let result = sys::kick_transmit(self.socket.fd());
            let left = self.socket.tx.pending();
            match result.map_err(|error| error.raw_os_error()) {
                Ok(()) if self.socket.zero_copy => return,
                // Done, or the budget of one call is used up: go on as long as that gets on.
                Ok(()) | Err(Some(libc::EAGAIN)) if left < pending => pending = left,
                // No room for skbs, or a full queue of the device: the frames stay on the ring.
                Ok(()) | Err(Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS)) => break,
                // The link is down or gone: they stay too, until there is something more to send.
                Err(_) => return,
            }
        }
        self.kick_again = pending > 0;
    }

    fn wake_receive(&mut self) {
        if self.busy_poll || self.socket.fill.needs_wakeup() {
            self.counters.bump(PortCounter::Wakeups);
            // Failures (the link is down) show as an empty ring.
            let _ = sys::kick_receive(self.socket.fd());
        }
    }

    /// The frame as it goes on the transmit ring: complete, of our pool, neither empty nor too long. `None`: dropped,
    /// counted.
    #[inline]
    fn transmittable(&mut self, mut frame: Frame) -> Option<Frame> {
        if frame.len() > self.max_tx_bytes || frame.is_empty() {
            self.counters.bump(PortCounter::DropTxOversize);
            return None;
        }
        if frame.tx_checksum != TxChecksum::Complete {
            if !checksum::complete(&mut frame) {
                self.counters.bump(PortCounter::DropTxInvalidChecksum);
                return None;
            }
            self.counters.bump(PortCounter::TxChecksumOffloaded);
        }
        if self.pool.owns(&frame) {
            return Some(frame);
        }
        let copy = copy_frame(&self.pool, &frame);
        self.counters.bump(if copy.is_some() { PortCounter::TxCopied } else { PortCounter::DropTxForeignFrame });
        copy
    }
}

impl Port for AfXdpPort {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            rx_checksum: self.rx_checksum != RxChecksum::Unknown,
            tx_checksum: false,
            multi_buffer: self.socket.multi_buffer,
            steering: self.steering.clone(),
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> &FramePool {
        &self.pool
    }

    fn rx_burst(&mut self, _now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        let filled = self.socket.rx.available(max.min(u32::MAX as usize) as u32);
        let (mut frames, mut bytes) = (0, 0);
        for _ in 0..filled {
            let descriptor = self.socket.rx.take();
            let Some(frame) = self.claim(descriptor) else { continue };
            let more = descriptor.options & libc::XDP_PKT_CONTD != 0;
            let joining = self.joiner.as_ref().is_some_and(Joiner::is_collecting);
            let frame = if more || joining { self.join(&frame, more) } else { Some(frame) };
            let Some(mut frame) = frame else { continue };
            frame.rx_checksum = self.rx_checksum;
            frames += 1;
            bytes += frame.len() as u64;
            out.push(frame);
        }
        if filled > 0 {
            self.socket.rx.release();
            self.counters.add(PortCounter::RxFrames, frames as u64);
            self.counters.add(PortCounter::RxBytes, bytes);
        }
        self.reap();
        self.refill();
        if filled == 0 || self.socket.fill.needs_wakeup() {
            self.wake_receive();
        }
        frames
    }

    fn tx_burst(&mut self, _now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        self.reap();
        let room = self.socket.tx.room(frames.len() as u32) as usize;
        if room < frames.len() {
            self.counters.bump(PortCounter::TxRingFull);
        }
        let (mut taken, mut sent, mut bytes) = (0, 0, 0);
        while sent < room {
            let Some(frame) = frames.pop_front() else { break };
            taken += 1;
            let Some(frame) = self.transmittable(frame) else { continue };
            let raw = frame.into_raw();
            let addr = (u64::from(raw.index) << self.frame_shift) + u64::from(raw.start);
            self.socket.tx.push(libc::xdp_desc { addr, len: raw.len, options: 0 });
            sent += 1;
            bytes += u64::from(raw.len);
        }
        if sent > 0 {
            self.socket.tx.publish();
            self.counters.add(PortCounter::TxFrames, sent as u64);
            self.counters.add(PortCounter::TxBytes, bytes);
        }
        if sent > 0 || self.kick_again {
            self.kick();
        }
        taken
    }

    fn counters(&self) -> PortCounters {
        let mut counters = self.counters.clone();
        if let Ok(kernel) = self.socket.statistics() {
            counters.add(PortCounter::DropRxRingFull, kernel.rx_ring_full);
            counters.add(PortCounter::DropRxFillRingEmpty, kernel.rx_fill_ring_empty_descs);
            // A missing frame is among the dropped ones too.
            let other = kernel.rx_dropped.saturating_sub(kernel.rx_fill_ring_empty_descs);
            counters.add(PortCounter::DropRxKernel, other);
            counters.add(PortCounter::DropRxInvalidDescriptor, kernel.rx_invalid_descs);
            counters.add(PortCounter::DropTxInvalidDescriptor, kernel.tx_invalid_descs);
        }
        counters
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.fd())
    }

    fn prepare_sleep(&mut self) -> bool {
        if self.kick_again {
            self.reap();
            self.kick();
        }
        self.refill();
        // A zero-copy driver that ran out of frames sleeps until it is told of new ones; busy polling needs a last look.
        self.wake_receive();
        !self.kick_again && self.socket.rx.available(1) == 0
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn link_up(&mut self) -> bool {
        let up = self.links.is_running(&self.info.interface);
        if up != self.was_up {
            self.was_up = up;
            self.counters.bump(PortCounter::LinkChanges);
        }
        up
    }
}

fn setup_error(step: Step, error: io::Error, link: &LinkFacts, queue: u32, copy: CopyMode, bytes: usize) -> PortError {
    let name = &link.name;
    match (step, error.raw_os_error()) {
        (_, Some(libc::EPERM | libc::EACCES)) => permission("set up an AF_XDP socket", error),
        (Step::Register, Some(libc::ENOBUFS | libc::ENOMEM)) => {
            PortError::host(format!("{bytes} bytes of frames exceed the limit on locked memory"))
                .remedy("ulimit -l unlimited, or grant cap_ipc_lock")
                .caused_by(error)
        }
        (Step::Bind, Some(libc::EBUSY)) => {
            PortError::host(format!("queue {queue} of {name} belongs to another AF_XDP socket"))
                .remedy("ss --xdp -p (names the process that has it)")
                .caused_by(error)
        }
        (Step::Bind, Some(libc::EINVAL)) => PortError::host(format!("{name} has no queue {queue} for AF_XDP"))
            .remedy(format!("ethtool -l {name} (shows its queues)"))
            .caused_by(error),
        (Step::Bind, Some(libc::EOPNOTSUPP)) if copy == CopyMode::ZeroCopy => {
            PortError::operator(format!("the driver of {name} ({}) has no zero-copy", link.driver))
                .remedy("copy mode (or automatic)")
                .caused_by(error)
        }
        (Step::Bind, Some(libc::ENETDOWN)) => {
            PortError::host(format!("{name} is down")).remedy(format!("ip link set {name} up")).caused_by(error)
        }
        _ => PortError::host(format!("AF_XDP on queue {queue} of {name}: {step:?} failed")).caused_by(error),
    }
}
