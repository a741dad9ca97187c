//! An interface with our program on it: loading, attaching, and what is redirected.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use ::port::PortError;
use netstack::rss::Steering;

use crate::bpf::{AttachMode, Map, MapType, Program};
use crate::config::{AfXdpConfig, MultiBuffer, XdpMode};
use crate::link::{LinkFacts, LinkQuery};
use crate::port::AfXdpPort;
use crate::profile::{self, Profile};
use crate::program::{self, MapFds};
use crate::rss;
use crate::services::{self, AddressKey, AddressValue, LocalAddress, Service, ServiceKey};
use crate::socket;

/// Bytes that the kernel keeps free before the data of a received frame (`XDP_PACKET_HEADROOM`).
pub(crate) const KERNEL_HEADROOM: u32 = 256;
/// Ethernet header and one tag.
pub(crate) const LINK_OVERHEAD: u32 = 18;
/// The frame sizes that the kernel takes in aligned mode: powers of two, at least 2 KiB, at most a page.
const FRAME_SIZES: [u32; 2] = [2048, 4096];

/// Maps of sockets: queue number (u32) to socket descriptor (u32).
pub(crate) type SocketMap = Map<4, 4>;

/// An open device. The program stays attached until it is dropped; its ports only work as long.
pub struct AfXdpDevice {
    link: Arc<LinkFacts>,
    mode: AttachMode,
    notes: Vec<String>,
    redirected: Redirected,
    /// Detaches the program when closed.
    _attachment: OwnedFd,
    _program: Program,
}

/// What a worker needs to open its queue; may be sent to it.
pub struct QueueBuilder {
    pub(crate) config: Arc<AfXdpConfig>,
    pub(crate) link: Arc<LinkFacts>,
    pub(crate) profile: Profile,
    pub(crate) mode: AttachMode,
    pub(crate) queue: u32,
    pub(crate) frame_bytes: u32,
    pub(crate) multi_buffer: bool,
    pub(crate) socket: OwnedFd,
    pub(crate) links: LinkQuery,
    pub(crate) steering: Option<Steering>,
    pub(crate) sockets: SocketMap,
}

impl QueueBuilder {
    /// The queue's number.
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Opens the queue: UMEM, rings, binding, and at last its place in the program's map. Call it on the thread that
    /// will use the port.
    pub fn build(self) -> Result<AfXdpPort, PortError> {
        AfXdpPort::open(self)
    }
}

/// The maps behind the program, and what they hold.
struct Redirected {
    services: Map<20, 4>,
    addresses: Map<16, 8>,
    service_keys: HashSet<ServiceKey>,
    address_values: HashMap<AddressKey, AddressValue>,
}

impl AfXdpDevice {
    /// Loads the program, fills its maps, attaches it, and opens a socket a queue (bound later, by its worker).
    pub fn open(config: AfXdpConfig) -> Result<(AfXdpDevice, Vec<QueueBuilder>), PortError> {
        check(&config)?;
        let link = facts(&config.interface)?;
        let profile = profile::of_driver(&link.driver);
        let queues = queues(&config, &link)?;
        let frame_bytes = frame_bytes(link.mtu);
        let mut notes = Vec::new();

        let sockets = SocketMap::create(MapType::Sockets, "anygate_sockets", queues).map_err(bpf_error)?;
        let mut redirected = Redirected::create(&config)?;
        redirected.update(&config.services, &config.addresses)?;
        let (program, frags) = load(&config, &redirected, &sockets)?;
        let frame_bytes = match frame_bytes {
            Some(bytes) => bytes,
            None if frags && config.multi_buffer != MultiBuffer::Off => FRAME_SIZES[1],
            None => return Err(mtu_error(&link)),
        };
        let (attachment, mode) = attach(&program, &config, &link, &profile, &mut notes)?;
        let oversize = link.mtu + LINK_OVERHEAD + KERNEL_HEADROOM > frame_bytes;
        let multi_buffer = match config.multi_buffer {
            MultiBuffer::Auto => frags && (mode == AttachMode::Generic || profile.oversize_frames || oversize),
            MultiBuffer::On => frags,
            MultiBuffer::Off => false,
        };
        if !link.up {
            notes.push(format!("{0} is down: ip link set {0} up", link.name));
        }

        // With one queue there is nothing to know.
        let steering = if queues > 1 { rss::steering(&link_query()?, &link.name) } else { None };
        if steering.is_some() {
            notes.push(format!(
                "{} says how it spreads flows over queues: active opens choose their ports by it",
                link.name
            ));
        }

        let (config, link) = (Arc::new(config), Arc::new(link));
        let builders = (0..queues).map(|queue| {
            Ok(QueueBuilder {
                config: Arc::clone(&config),
                link: Arc::clone(&link),
                profile: profile.clone(),
                mode,
                queue,
                frame_bytes,
                multi_buffer,
                socket: socket::create().map_err(|error| permission("open an AF_XDP socket", error))?,
                links: link_query()?,
                steering: steering.as_ref().zip(u16::try_from(queue).ok()).map(|(all, queue)| all.seen_from(queue)),
                sockets: sockets.try_clone().map_err(bpf_error)?,
            })
        });
        let builders = builders.collect::<Result<Vec<_>, PortError>>()?;
        let device = AfXdpDevice { link, mode, notes, redirected, _attachment: attachment, _program: program };
        Ok((device, builders))
    }

    /// The interface as it was when opened.
    pub fn link(&self) -> &LinkFacts {
        &self.link
    }

    /// Where the program is attached.
    pub fn mode(&self) -> AttachMode {
        self.mode
    }

    /// What the operator should know about how it was opened, for the log: fallbacks with their reasons.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Makes `services` and `addresses` what is redirected. Added entries work before removed ones are gone, and
    /// unchanged ones are not touched. When it fails, for want of room in a map, all old entries are still there.
    pub fn update(&mut self, services: &[Service], addresses: &[LocalAddress]) -> Result<(), PortError> {
        self.redirected.update(services, addresses)
    }
}

impl Redirected {
    fn create(config: &AfXdpConfig) -> Result<Redirected, PortError> {
        let map = |result: io::Result<_>| result.map_err(bpf_error);
        Ok(Redirected {
            services: map(Map::create(MapType::Hash, "anygate_service", config.max_services))?,
            addresses: Map::create(MapType::Hash, "anygate_address", config.max_addresses).map_err(bpf_error)?,
            service_keys: HashSet::new(),
            address_values: HashMap::new(),
        })
    }

    fn update(&mut self, services: &[Service], addresses: &[LocalAddress]) -> Result<(), PortError> {
        let service_keys: HashSet<_> = services.iter().flat_map(services::service_keys).collect();
        let address_values: HashMap<_, _> = addresses
            .iter()
            .map(|local| (services::address_key(local.address), services::address_value(local)))
            .collect();
        for key in service_keys.difference(&self.service_keys) {
            self.services.insert(key, &[0; 4]).map_err(map_full)?;
        }
        for (key, value) in &address_values {
            if self.address_values.get(key) != Some(value) {
                self.addresses.insert(key, value).map_err(map_full)?;
            }
        }
        for key in self.service_keys.difference(&service_keys) {
            self.services.remove(key).map_err(bpf_error)?;
        }
        for key in self.address_values.keys().filter(|key| !address_values.contains_key(*key)) {
            self.addresses.remove(key).map_err(bpf_error)?;
        }
        (self.service_keys, self.address_values) = (service_keys, address_values);
        Ok(())
    }
}

fn check(config: &AfXdpConfig) -> Result<(), PortError> {
    let rings = config.ring_entries;
    if !rings.is_power_of_two() || !(64..=65_536).contains(&rings) {
        return Err(PortError::operator(format!("{rings} ring entries: not a power of two from 64 to 65,536")));
    }
    // The fill ring is kept full, and as many frames again serve the transmit ring and what the stack holds.
    if u64::from(config.frames) < 2 * u64::from(rings) || config.frames > 1 << 20 {
        let what =
            format!("{} frames a queue: from twice the ring entries ({}) to 1,048,576", config.frames, 2 * rings);
        return Err(PortError::operator(what));
    }
    if config.headroom > 1024 {
        return Err(PortError::operator(format!("{} bytes of headroom: at most 1,024", config.headroom)));
    }
    if config.vlan.is_some_and(|vlan| vlan == 0 || vlan > 4094) {
        return Err(PortError::operator("a VLAN identifier is from 1 to 4094"));
    }
    Ok(())
}

fn link_query() -> Result<LinkQuery, PortError> {
    LinkQuery::open().map_err(|error| PortError::host("cannot ask for interfaces").caused_by(error))
}

fn facts(interface: &str) -> Result<LinkFacts, PortError> {
    link_query()?.facts(interface).map_err(|error| match error.raw_os_error() {
        Some(libc::ENODEV) => {
            PortError::operator(format!("there is no interface {interface:?} in this network namespace"))
                .remedy("ip -brief link (and write one of those names)")
        }
        _ => PortError::host(format!("cannot read the facts of {interface}")).caused_by(error),
    })
}

fn queues(config: &AfXdpConfig, link: &LinkFacts) -> Result<u32, PortError> {
    let has = link.rx_queues;
    match config.queues {
        None => Ok(has),
        Some(0) => Err(PortError::operator("a device needs at least one queue")),
        Some(wanted) if wanted > has => {
            let what = format!("{} has {has} receive queues, {wanted} are configured", link.name);
            Err(PortError::operator(what)
                .remedy(format!("ethtool -L {} rx {wanted} (or combined {wanted})", link.name)))
        }
        Some(wanted) if wanted < has && !config.partial_queues => {
            let what = format!(
                "{} spreads packets over {has} receive queues, but only {wanted} are configured; the others' packets would go to the kernel",
                link.name
            );
            Err(PortError::operator(what)
                .remedy(format!("ethtool -L {} rx {wanted} (or combined {wanted})", link.name)))
        }
        Some(wanted) => Ok(wanted),
    }
}

/// The smallest frame that holds a packet of the MTU; `None` when a page does not.
fn frame_bytes(mtu: u32) -> Option<u32> {
    FRAME_SIZES.into_iter().find(|size| mtu + LINK_OVERHEAD + KERNEL_HEADROOM <= *size)
}

fn load(config: &AfXdpConfig, redirected: &Redirected, sockets: &SocketMap) -> Result<(Program, bool), PortError> {
    let maps = MapFds {
        services: redirected.services.fd().as_raw_fd(),
        addresses: redirected.addresses.fd().as_raw_fd(),
        sockets: sockets.fd().as_raw_fd(),
    };
    let insns = program::assemble(maps, config.vlan)
        .map_err(|error| PortError::program("cannot assemble the XDP program").caused_by(io::Error::other(error)))?;
    if config.multi_buffer != MultiBuffer::Off {
        match Program::load_xdp("anygate", &insns, true) {
            Ok(program) => return Ok((program, true)),
            // Kernels before 5.18 do not know the flag.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(bpf_error(error)),
        }
    }
    Ok((Program::load_xdp("anygate", &insns, false).map_err(bpf_error)?, false))
}

fn attach(
    program: &Program,
    config: &AfXdpConfig,
    link: &LinkFacts,
    profile: &Profile,
    notes: &mut Vec<String>,
) -> Result<(OwnedFd, AttachMode), PortError> {
    let attach = |mode| {
        let attached = socket::retry_while_busy(|| program.attach(link.index, mode));
        attached.map(|fd| (fd, mode)).map_err(|error| attach_error(error, mode, link, profile))
    };
    match config.mode {
        XdpMode::Native => attach(AttachMode::Native),
        XdpMode::Generic => attach(AttachMode::Generic),
        XdpMode::Auto => attach(AttachMode::Native).or_else(|native| {
            let generic = attach(AttachMode::Generic)?;
            notes.push(format!("{} is attached in generic mode (slower): {}", link.name, explain(&native)));
            Ok(generic)
        }),
    }
}

/// The error with its cause, on one line.
pub(crate) fn explain(error: &PortError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

fn attach_error(error: io::Error, mode: AttachMode, link: &LinkFacts, profile: &Profile) -> PortError {
    let what = format!("{} mode attach to {} (driver {}) was refused", mode.name(), link.name, link.driver);
    let remedy = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => return permission("attach an XDP program", error),
        Some(libc::EBUSY | libc::EEXIST) => {
            format!("another XDP program is there: ip link set dev {} xdp off", link.name)
        }
        Some(libc::ERANGE) => format!("the MTU is too large for this driver: ip link set {} mtu 1500", link.name),
        Some(libc::ENOSPC) => profile
            .native_attach
            .clone()
            .unwrap_or_else(|| format!("too few queues for XDP: ethtool -L {} with fewer channels", link.name)),
        Some(libc::EOPNOTSUPP) => "this driver has no native XDP: use mode generic".to_owned(),
        _ => profile
            .native_attach
            .clone()
            .unwrap_or_else(|| "use mode generic, or see dmesg for the driver's reason".to_owned()),
    };
    PortError::host(what).remedy(remedy).caused_by(error)
}

fn mtu_error(link: &LinkFacts) -> PortError {
    let most = FRAME_SIZES[1] - KERNEL_HEADROOM - LINK_OVERHEAD;
    PortError::host(format!(
        "{} has an MTU of {}; without multi-buffer frames at most {most} work",
        link.name, link.mtu
    ))
    .remedy(format!("ip link set {} mtu {}", link.name, most.min(1500)))
}

fn map_full(error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::E2BIG | libc::ENOSPC) => {
            PortError::operator("more services or addresses than the XDP program's maps hold").caused_by(error)
        }
        _ => bpf_error(error),
    }
}

fn bpf_error(error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => permission("load an XDP program", error),
        Some(libc::ENOSYS) => PortError::host("this kernel has no bpf(2)").caused_by(error),
        _ => PortError::host("bpf(2) failed").caused_by(error),
    }
}

/// The refusal for want of privileges, with the command that grants them to this program.
pub(crate) fn permission(what: &str, error: io::Error) -> PortError {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("PROGRAM"));
    PortError::host(format!("not permitted to {what}"))
        .remedy(format!(
            "run as root, or: sudo setcap cap_net_admin,cap_net_raw,cap_bpf,cap_ipc_lock+ep {}",
            program.display()
        ))
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_the_smallest_that_holds_the_mtu() {
        assert_eq!(frame_bytes(1500), Some(2048));
        assert_eq!(frame_bytes(1774), Some(2048));
        assert_eq!(frame_bytes(1775), Some(4096));
        assert_eq!(frame_bytes(3822), Some(4096));
        assert_eq!(frame_bytes(9000), None);
    }

    #[test]
    fn impossible_configurations_are_the_operators_fault() {
        let wrong: [fn(&mut AfXdpConfig); 4] = [
            |config| config.ring_entries = 1000,
            |config| config.frames = 100,
            |config| config.vlan = Some(4095),
            |config| config.headroom = 2000,
        ];
        for change in wrong {
            let mut config = AfXdpConfig::new("lo");
            change(&mut config);
            assert_eq!(check(&config).unwrap_err().blame(), ::port::Blame::Operator);
        }
        assert!(check(&AfXdpConfig::new("lo")).is_ok());
    }

    #[test]
    fn a_missing_interface_names_the_command_that_lists_them() {
        let error = AfXdpDevice::open(AfXdpConfig::new("agx-none")).err().unwrap();
        assert!(error.to_string().contains("agx-none"), "{error}");
        assert!(error.remedy_command().unwrap().contains("ip -brief link"));
    }
}
