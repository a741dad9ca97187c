//! A TAP interface: packets to and from the kernel of this machine, for development.
//!
//! ```text
//!   TapConfig ─▶ Tap::open (needs CAP_NET_ADMIN) ─▶ into_queues ─▶ one TapQueue a worker ─▶ into_port(pool)
//! ```
//!
//! The interface is non-persistent: it lives as long as one of its queues and is gone when the process is gone,
//! however that ends. With several queues the kernel sends a flow to the queue that last sent for it, so replies come
//! to the worker that opened the connection; new flows are spread by the kernel's own hash, which nobody can know
//! beforehand, and therefore the port declares no steering.
//!
//! Frames carry a virtio header: the kernel may leave transport checksums of its own packets partial
//! ([`RxChecksum::MaybePartial`]), and completes those that the stack leaves open. Segmentation offloads stay off.
//! One system call a frame: this is not the port to measure.
//!
//! [`RxChecksum::MaybePartial`]: netstack::frame::RxChecksum::MaybePartial

mod config;
mod port;
mod sys;
mod vnet;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use netstack::FramePool;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

pub use config::TapConfig;
pub use port::TapPort;

use self::sys::Control;
use crate::PortError;

/// An open TAP interface.
pub struct Tap {
    queues: Vec<TapQueue>,
}

/// One queue of an open interface, before it has a thread.
pub struct TapQueue {
    fd: OwnedFd,
    control: Control,
    name: String,
    queue: u16,
    mac: [u8; 6],
    mtu: u16,
}

impl Tap {
    /// Creates the interface (or attaches to the one that exists, as configured) and sets it up as asked.
    pub fn open(config: &TapConfig) -> Result<Tap, PortError> {
        config.check()?;
        if !config.create && !Path::new("/sys/class/net").join(&config.name).exists() {
            return Err(PortError::host(format!("there is no interface {}", config.name)).remedy(add_command(config)));
        }
        let mut fds = Vec::new();
        for _ in 0..config.queues {
            fds.push(open_queue(config)?);
        }
        let control = || {
            Control::open(&config.name)
                .map_err(|error| PortError::host("cannot open a socket for interface requests").caused_by(error))
        };
        set_up(config, &control()?)?;
        let mtu = control()?.mtu().map_err(|error| request_failed(config, "read the MTU of", error))?;
        let mac = match config.mac {
            Some(mac) => mac,
            None => neighbour_of(
                control()?.mac().map_err(|error| request_failed(config, "read the MAC address of", error))?,
            ),
        };
        let mut queues = Vec::new();
        for (queue, fd) in (0..).zip(fds) {
            queues.push(TapQueue { fd, control: control()?, name: config.name.clone(), queue, mac, mtu });
        }
        Ok(Tap { queues })
    }

    /// The queues, one for each worker.
    pub fn into_queues(self) -> Vec<TapQueue> {
        self.queues
    }
}

impl TapQueue {
    /// The address that the stack on this interface uses.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Largest IP packet, in bytes.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The port of this queue, with its frames in `pool`.
    pub fn into_port(self, pool: FramePool) -> Result<TapPort, PortError> {
        TapPort::new(self, pool)
    }
}

/// The far end of a TAP link is the kernel with the interface's own address; ours is the one beside it.
fn neighbour_of(mut mac: [u8; 6]) -> [u8; 6] {
    mac[0] = (mac[0] | 0b10) & !1;
    mac[5] ^= 1;
    mac
}

fn open_queue(config: &TapConfig) -> Result<OwnedFd, PortError> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).map_err(|error| {
        let failed = PortError::host("cannot open /dev/net/tun").caused_by(error);
        match error {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => failed.remedy("sudo modprobe tun"),
            _ => failed.remedy("sudo chmod 0666 /dev/net/tun"),
        }
    })?;
    sys::attach(&fd, &config.name, config.queues > 1).map_err(|error| attach_failed(config, error))?;
    sys::offload_checksums(&fd).map_err(|error| request_failed(config, "switch on checksum offload of", error))?;
    Ok(fd)
}

fn attach_failed(config: &TapConfig, error: Errno) -> PortError {
    let name = &config.name;
    match error {
        Errno::PERM | Errno::ACCESS if config.create => {
            PortError::host(format!("not permitted to create the interface {name}")).remedy(format!(
                "sudo setcap cap_net_admin+ep {}",
                fs::read_link("/proc/self/exe").map_or("anygate".into(), |path| path.display().to_string())
            ))
        }
        Errno::PERM | Errno::ACCESS => PortError::host(format!("not permitted to attach to the interface {name}"))
            .remedy(format!("sudo ip link del {name}; {}", add_command(config))),
        Errno::BUSY => PortError::host(format!("another process has the interface {name} open"))
            .remedy(format!("sudo fuser -v /dev/net/tun, or another name than {name}")),
        Errno::INVAL => {
            PortError::operator(format!("{name} exists and is no TAP interface with {} queues", config.queues))
                .remedy(format!("another name than {name}, or sudo ip link del {name}"))
        }
        _ => PortError::host(format!("cannot attach to the interface {name}")),
    }
    .caused_by(error)
}

fn add_command(config: &TapConfig) -> String {
    let multi_queue = if config.queues > 1 { " multi_queue" } else { "" };
    format!("sudo ip tuntap add dev {} mode tap vnet_hdr{multi_queue} user $(id -un)", config.name)
}

fn set_up(config: &TapConfig, control: &Control) -> Result<(), PortError> {
    if let Some(mtu) = config.mtu {
        control.set_mtu(mtu).map_err(|error| request_failed(config, &format!("set an MTU of {mtu} on"), error))?;
    }
    for &(address, prefix) in &config.host_addresses {
        control
            .add_address(address, prefix)
            .map_err(|error| request_failed(config, &format!("add {address}/{prefix} to"), error))?;
    }
    if config.up {
        control.set_up().map_err(|error| request_failed(config, "bring up", error))?;
    }
    Ok(())
}

fn request_failed(config: &TapConfig, what: &str, error: Errno) -> PortError {
    let failed = PortError::host(format!("cannot {what} the interface {}", config.name)).caused_by(error);
    match error {
        Errno::PERM | Errno::ACCESS => failed.remedy("sudo, or the capability CAP_NET_ADMIN"),
        _ => failed,
    }
}

#[cfg(test)]
mod tests;
