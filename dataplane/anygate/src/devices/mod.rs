//! From `ports:` of the configuration to open queues, each with the plan of its worker.
//!
//! Devices are opened by the main thread; a queue becomes a port, with its pool, on the thread of the worker that will
//! use it. Everything that can go wrong is tried before a worker starts.

mod stack;

pub use stack::congestion;

use crate::worker::Polling;
use config::{AfXdpConfig, Config, Diagnostic, Listener, PortConfig, Queues, Switch, TapConfig, Workers, XdpMode};
use netstack::{FramePool, Stack, StackConfig};
use port::PortError;
use port::tap::{Tap, TapQueue};
use port_afxdp::{AfXdpDevice, AfXdpPort, BusyPoll, CopyMode, LocalAddress, QueueBuilder, Service};
use std::fmt;

/// Frames of a tap queue have this size: an MTU of up to 9,216 bytes fits.
const TAP_FRAME_BYTES: [usize; 2] = [2048, 16_384];
const HEADROOM_BYTES: usize = 128;

/// Why the data plane cannot be set up.
#[derive(Debug)]
pub enum SetupError {
    /// The configuration cannot be met; shown with its line.
    Config(Box<Diagnostic>),
    /// A port cannot be opened.
    Port {
        /// `ports[0] (af_xdp on eth1)`
        which: String,
        /// What is wrong, and the command that mends it.
        error: PortError,
    },
    /// The system gave no thread, descriptor or randomness.
    System(&'static str, std::io::Error),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Config(diagnostic) => diagnostic.fmt(f),
            SetupError::Port { which, error } => {
                // The error names the command that mends it; the cause is what the system said.
                write!(f, "error: {which}: {error}")?;
                match std::error::Error::source(error) {
                    Some(cause) => write!(f, "\n  because: {cause}"),
                    None => Ok(()),
                }
            }
            SetupError::System(what, error) => write!(f, "error: cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for SetupError {}

/// A queue that waits for its worker.
pub enum Queue {
    /// Of an AF_XDP device.
    AfXdp(QueueBuilder),
    /// Of a tap interface.
    Tap {
        /// The queue.
        queue: TapQueue,
        /// Frames of its pool.
        frames: usize,
    },
}

/// What one worker is started with.
pub struct WorkerPlan {
    /// Which entry of `ports` it serves.
    pub port_index: usize,
    /// Number of the queue.
    pub queue_number: u32,
    /// The queue.
    pub queue: Queue,
    /// Its stack; MAC and checksum offload are filled in from the port.
    pub stack: StackConfig,
    /// The core to pin it to.
    pub core: Option<usize>,
}

/// What stays open beside the workers.
pub enum Device {
    /// The program on an interface; detached when dropped.
    AfXdp {
        /// The device.
        device: AfXdpDevice,
        /// Our addresses, for updates.
        addresses: Vec<LocalAddress>,
    },
    /// Nothing: a tap lives as long as its queues.
    Tap,
}

/// Everything opened.
pub struct Opened {
    /// One a queue.
    pub workers: Vec<WorkerPlan>,
    /// One a port.
    pub devices: Vec<Device>,
    /// What the operator should know, for the log.
    pub notes: Vec<String>,
}

/// Opens every port of the configuration.
pub fn open(config: &Config) -> Result<Opened, SetupError> {
    let mut opened = Opened { workers: Vec::new(), devices: Vec::new(), notes: Vec::new() };
    for (index, port) in config.ports.iter().enumerate() {
        match port {
            PortConfig::AfXdp(port) => open_af_xdp(config, index, port, &mut opened)?,
            PortConfig::Tap(port) => open_tap(config, index, port, &mut opened)?,
        }
    }
    let queues = opened.workers.len();
    match config.server.workers {
        Workers::Count(count) if usize::from(count) != queues => {
            let reason =
                format!("`workers` is {count}, but the ports have {queues} queues, and each queue needs one worker");
            let help = "write `workers: auto`, or set the number of `queues` of the ports";
            return Err(SetupError::Config(Box::new(config.error_at("server.workers", reason).help(help))));
        }
        Workers::Count(_) | Workers::Auto => {}
    }
    let cores = cores(config);
    for (number, worker) in opened.workers.iter_mut().enumerate() {
        worker.core = (!cores.is_empty()).then(|| cores[number % cores.len()]);
    }
    if queues > cores.len() && !cores.is_empty() {
        opened.notes.push(format!("{queues} workers share {} cores: expect the speed of {}", cores.len(), cores.len()));
    }
    Ok(opened)
}

/// The services that a device redirects: the TCP ports that are listened on.
pub fn services(listen: &[Listener]) -> Vec<Service> {
    listen.iter().map(|Listener { address: at, .. }| Service::tcp(at.address, at.port)).collect()
}

/// How workers wait.
pub fn polling(config: &Config) -> Polling {
    match config.server.polling {
        config::Polling::Adaptive => Polling::Adaptive { spin: config.server.spin },
        config::Polling::Always => Polling::Always,
    }
}

fn cores(config: &Config) -> Vec<usize> {
    if !config.server.cores.0.is_empty() {
        return config.server.cores.0.iter().map(|&core| usize::from(core)).collect();
    }
    let allowed = rustix::thread::sched_getaffinity(None);
    allowed.map(|set| (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()).unwrap_or_default()
}

fn open_af_xdp(config: &Config, index: usize, port: &AfXdpConfig, opened: &mut Opened) -> Result<(), SetupError> {
    let which = || format!("ports[{index}] (af_xdp on {})", port.interface.0);
    let failed = |error| SetupError::Port { which: which(), error };
    let cidrs = stack::addresses(config, index, &port.interface.0, &port.addresses)?;
    let addresses: Vec<LocalAddress> = cidrs
        .iter()
        .map(|cidr| LocalAddress {
            address: cidr.address(),
            exclusive: port.exclusive_addresses,
            ports: None,
            answer_arp: port.answer_arp,
            answer_echo: port.answer_echo,
            fragments: true,
        })
        .collect();
    let busy = match port.busy_poll {
        Switch::On => true,
        Switch::Auto => config.server.polling == config::Polling::Always,
        Switch::Off => false,
    };
    let device = port_afxdp::AfXdpConfig {
        queues: queue_count(config, index, &port.queues)?,
        mode: match port.mode {
            XdpMode::Auto => port_afxdp::XdpMode::Auto,
            XdpMode::Native => port_afxdp::XdpMode::Native,
            XdpMode::Generic => port_afxdp::XdpMode::Generic,
        },
        copy: match port.zero_copy {
            Switch::Auto => CopyMode::Auto,
            Switch::On => CopyMode::ZeroCopy,
            Switch::Off => CopyMode::Copy,
        },
        frames: port.frames,
        ring_entries: port.ring,
        headroom: HEADROOM_BYTES,
        huge_pages: port.hugepages,
        busy_poll: busy.then(BusyPoll::default),
        vlan: port.vlan,
        services: services(&config.server.listen),
        addresses: addresses.clone(),
        ..port_afxdp::AfXdpConfig::new(&port.interface.0)
    };
    let (device, queues) = AfXdpDevice::open(device).map_err(failed)?;
    let link = device.link();
    opened.notes.push(format!(
        "{}: {} mode, {} queues, driver {}",
        which(),
        device.mode().name(),
        queues.len(),
        link.driver
    ));
    opened.notes.extend(device.notes().iter().map(|note| format!("{}: {note}", which())));
    let mtu = match port.mtu {
        config::Mtu::Auto => u16::try_from(link.mtu).unwrap_or(u16::MAX),
        config::Mtu::Bytes(bytes) => bytes,
    };
    let stack = stack::config(config, &cidrs, &port.gateways, mtu, port.vlan, port.answer_arp, port.answer_echo);
    for queue in queues {
        opened.workers.push(WorkerPlan {
            port_index: index,
            queue_number: queue.queue(),
            queue: Queue::AfXdp(queue),
            stack: stack.clone(),
            core: None,
        });
    }
    opened.devices.push(Device::AfXdp { device, addresses });
    Ok(())
}

fn queue_count(config: &Config, index: usize, queues: &Queues) -> Result<Option<u32>, SetupError> {
    match queues {
        Queues::Auto => Ok(None),
        Queues::First(count) => Ok(Some(u32::from(*count))),
        Queues::List(list) if (0u16..).zip(list).all(|(number, &listed)| number == listed) => {
            Ok(Some(list.len() as u32))
        }
        Queues::List(_) => {
            let reason = "the queues of an interface are served from queue 0 on, without gaps";
            let help = "write how many, as `queues: 2`, and let the NIC spread over those: ethtool -L or -X";
            Err(SetupError::Config(Box::new(config.error_at(&format!("ports.{index}.queues"), reason).help(help))))
        }
    }
}

fn open_tap(config: &Config, index: usize, port: &TapConfig, opened: &mut Opened) -> Result<(), SetupError> {
    let which = || format!("ports[{index}] (tap {})", port.interface.0);
    let cidrs = stack::addresses(config, index, &port.interface.0, &port.addresses)?;
    let tap = port::tap::TapConfig {
        queues: port.queues,
        up: port.up,
        mtu: Some(port.mtu),
        host_addresses: port.host_addresses.iter().map(|cidr| (cidr.address, cidr.prefix_len)).collect(),
        mac: port.mac.map(|mac| mac.0),
        ..port::tap::TapConfig::new(&port.interface.0)
    };
    let queues = Tap::open(&tap).map_err(|error| SetupError::Port { which: which(), error })?.into_queues();
    opened.notes.push(format!("{}: {} queues", which(), queues.len()));
    for (number, queue) in (0..).zip(queues) {
        opened.workers.push(WorkerPlan {
            port_index: index,
            queue_number: number,
            stack: StackConfig {
                host: stack::host(port, number),
                ..stack::config(
                    config,
                    &cidrs,
                    &port.gateways,
                    queue.mtu(),
                    port.vlan,
                    port.answer_arp,
                    port.answer_echo,
                )
            },
            queue: Queue::Tap { queue, frames: port.frames as usize },
            core: None,
        });
    }
    opened.devices.push(Device::Tap);
    Ok(())
}

/// A port, ready to be used by the thread that made it.
pub enum LivePort {
    /// AF_XDP.
    AfXdp(Box<AfXdpPort>),
    /// Tap.
    Tap(Box<port::tap::TapPort>),
}

impl Queue {
    /// Makes the port with its pool. To be called on the worker's thread.
    pub fn build(self) -> Result<LivePort, PortError> {
        match self {
            Queue::AfXdp(builder) => builder.build().map(|port| LivePort::AfXdp(Box::new(port))),
            Queue::Tap { queue, frames } => {
                let [small, large] = TAP_FRAME_BYTES;
                let fits = usize::from(queue.mtu()) + HEADROOM_BYTES + 64 <= small;
                let frame_bytes = if fits { small } else { large };
                let region = netstack::frame::HeapRegion::new(frames * frame_bytes);
                let pool = FramePool::new(Box::new(region), frame_bytes, HEADROOM_BYTES);
                queue.into_port(pool).map(|port| LivePort::Tap(Box::new(port)))
            }
        }
    }
}

/// The stack on a port.
pub fn stack_on(
    port: &impl port::Port,
    plan: &StackConfig,
    seed: netstack::rng::Seed,
    now: netstack::Instant,
) -> Result<Stack, netstack::ConfigError> {
    let config = StackConfig {
        mac: port.info().mac,
        tx_checksum_offload: port.capabilities().tx_checksum,
        steering: port.capabilities().steering,
        ..plan.clone()
    };
    Stack::new(config, port.pool().clone(), seed, now)
}
