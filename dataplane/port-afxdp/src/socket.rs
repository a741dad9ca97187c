//! One AF_XDP socket: UMEM registration, its four rings, binding to a queue.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use netstack::FramePool;

use crate::config::{BusyPoll, CopyMode};
use crate::ring::{ConsumerRing, ProducerRing};
use crate::sys;

/// Since Linux 6.17: frames that one `sendto` may send in copy mode, 32 by default.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
const SO_PREFER_BUSY_POLL: libc::c_int = 69;
const SO_BUSY_POLL_BUDGET: libc::c_int = 70;
/// The kernel frees the queue of a closed socket only after an RCU grace period.
const REBIND_PATIENCE: Duration = Duration::from_millis(1500);

/// Which step failed, and how.
pub struct SetupError {
    pub step: Step,
    pub error: io::Error,
}

/// The steps that fail for reasons that an operator can mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Registering the UMEM.
    Register,
    /// Setting sizes and options, and mapping the rings.
    Rings,
    /// Binding to the queue.
    Bind,
}

/// What to ask of a socket.
pub struct SocketConfig {
    pub ifindex: u32,
    pub queue: u32,
    pub ring_entries: u32,
    pub copy: CopyMode,
    pub multi_buffer: bool,
    pub busy_poll: Option<BusyPoll>,
}

/// A bound socket with its rings.
pub struct XskSocket {
    pub rx: ConsumerRing<libc::xdp_desc>,
    pub tx: ProducerRing<libc::xdp_desc>,
    pub fill: ProducerRing<u64>,
    pub completion: ConsumerRing<u64>,
    /// What the kernel chose, read back.
    pub zero_copy: bool,
    /// Packets in several buffers may arrive.
    pub multi_buffer: bool,
    fd: OwnedFd,
}

/// A socket of the family, not bound yet; it belongs to the network namespace of the calling thread for good.
pub fn create() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_XDP, libc::SOCK_RAW)
}

impl XskSocket {
    /// Registers `pool`'s memory, maps the rings, and binds.
    pub fn open(fd: OwnedFd, pool: &FramePool, config: &SocketConfig) -> Result<XskSocket, SetupError> {
        let at = |step| move |error| SetupError { step, error };
        register(fd.as_fd(), pool).map_err(at(Step::Register))?;
        let (rx, tx, fill, completion) = map_rings(fd.as_fd(), config.ring_entries).map_err(at(Step::Rings))?;
        set_buffer_limits(fd.as_fd(), config.ring_entries);
        if let Some(busy_poll) = config.busy_poll {
            set_busy_poll(fd.as_fd(), busy_poll).map_err(at(Step::Rings))?;
        }
        let multi_buffer = bind(fd.as_fd(), config).map_err(at(Step::Bind))?;
        let options: libc::xdp_options =
            sys::option(fd.as_fd(), libc::SOL_XDP, libc::XDP_OPTIONS).map_err(at(Step::Bind))?;
        let zero_copy = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
        Ok(XskSocket { rx, tx, fill, completion, zero_copy, multi_buffer, fd })
    }

    /// The socket's descriptor: polls readable when the receive ring has entries.
    #[inline]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What the kernel counts for the socket.
    pub fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        sys::option(self.fd(), libc::SOL_XDP, libc::XDP_STATISTICS)
    }
}

fn register(fd: BorrowedFd<'_>, pool: &FramePool) -> io::Result<()> {
    let umem = libc::xdp_umem_reg {
        addr: pool.region_base().as_ptr() as u64,
        len: pool.region_len() as u64,
        chunk_size: pool.frame_size() as u32,
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    sys::set_option(fd, libc::SOL_XDP, libc::XDP_UMEM_REG, &umem)
}

type Rings = (ConsumerRing<libc::xdp_desc>, ProducerRing<libc::xdp_desc>, ProducerRing<u64>, ConsumerRing<u64>);

fn map_rings(fd: BorrowedFd<'_>, entries: u32) -> io::Result<Rings> {
    let size = entries as libc::c_int;
    for ring in [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_RX_RING, libc::XDP_TX_RING] {
        sys::set_option(fd, libc::SOL_XDP, ring, &size)?;
    }
    let at: libc::xdp_mmap_offsets = sys::option(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS)?;
    Ok((
        ConsumerRing::map(fd, libc::XDP_PGOFF_RX_RING, &at.rx, entries)?,
        ProducerRing::map(fd, libc::XDP_PGOFF_TX_RING, &at.tx, entries)?,
        ProducerRing::map(fd, libc::XDP_UMEM_PGOFF_FILL_RING as libc::off_t, &at.fr, entries)?,
        ConsumerRing::map(fd, libc::XDP_UMEM_PGOFF_COMPLETION_RING as libc::off_t, &at.cr, entries)?,
    ))
}

/// In copy mode the kernel makes an skb of each frame and charges it to the socket: the default send buffer holds
/// about 250. Neither limit is fatal, so failures are not errors.
fn set_buffer_limits(fd: BorrowedFd<'_>, entries: u32) {
    let bytes = entries.saturating_mul(4096) as libc::c_int;
    if sys::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &bytes).is_err() {
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, &bytes);
    }
    let _ = sys::set_option(fd, libc::SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &(entries as libc::c_int));
}

fn set_busy_poll(fd: BorrowedFd<'_>, busy_poll: BusyPoll) -> io::Result<()> {
    sys::set_option(fd, libc::SOL_SOCKET, SO_PREFER_BUSY_POLL, &1)?;
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_BUSY_POLL, &(busy_poll.microseconds as libc::c_int))?;
    sys::set_option(fd, libc::SOL_SOCKET, SO_BUSY_POLL_BUDGET, &(busy_poll.budget_frames as libc::c_int))
}

/// Binds; returns whether multi-buffer receive was granted. Without `XDP_COPY` and `XDP_ZEROCOPY` the kernel tries
/// zero-copy and falls back to copy by itself.
fn bind(fd: BorrowedFd<'_>, config: &SocketConfig) -> io::Result<bool> {
    let copy = match config.copy {
        CopyMode::Auto => 0,
        CopyMode::Copy => libc::XDP_COPY,
        CopyMode::ZeroCopy => libc::XDP_ZEROCOPY,
    };
    let bind = |extra: u16| {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: copy | libc::XDP_USE_NEED_WAKEUP | extra,
            sxdp_ifindex: config.ifindex,
            sxdp_queue_id: config.queue,
            sxdp_shared_umem_fd: 0,
        };
        retry_while_busy(|| sys::bind_xdp(fd, &address))
    };
    if config.multi_buffer {
        match bind(libc::XDP_USE_SG) {
            // Kernels before 6.6 do not know the flag.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            result => return result.map(|()| true),
        }
    }
    bind(0).map(|()| false)
}

/// Repeats `attempt` while it fails with `EBUSY`, for as long as a previous owner may take to be gone.
#[allow(clippy::disallowed_methods, reason = "set-up waits for the kernel; no packet is handled here")]
pub fn retry_while_busy<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && start.elapsed() < REBIND_PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
