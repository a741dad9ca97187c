//! What a stack is told from the configuration.

use super::SetupError;
use config::{AddressGeneration, Config, Size, TapConfig};
use netstack::HostConfig;
use netstack::host::{DhcpConfig, Identifiers};
use netstack::ip::Cidr;
use netstack::routes::Route;
use netstack::tcp::{CongestionKind, EcnMode, KeepAlive, MemoryLimits, OnMemoryExhausted, SynCookieMode, TcpConfig};
use netstack::{IpLimits, StackConfig};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of a port; without any in the file, those that the kernel has on the interface.
pub(super) fn addresses(
    config: &Config,
    index: usize,
    interface: &str,
    written: &[config::Cidr],
) -> Result<Vec<Cidr>, SetupError> {
    let wrong = |reason: String, help: &str| {
        SetupError::Config(Box::new(config.error_at(&format!("ports.{index}.addresses"), reason).help(help)))
    };
    if !written.is_empty() || config.ports.get(index).is_some_and(acquires) {
        let cidr = |c: &config::Cidr| {
            Cidr::new(c.address, c.prefix_len).ok_or_else(|| {
                wrong(format!("{} has no prefix of {} bits", c.address, c.prefix_len), "write it as 10.0.0.2/24")
            })
        };
        return written.iter().map(cidr).collect();
    }
    let found = crate::host::interface_addresses(interface)
        .map_err(|error| SetupError::System("read the addresses of the interface", error))?;
    let usable: Vec<Cidr> = found.iter().filter_map(|&(address, prefix)| Cidr::new(address, prefix)).collect();
    if usable.is_empty() {
        let help = "write `addresses: [10.0.0.2/24]`, or give it one: ip addr add 10.0.0.2/24 dev INTERFACE";
        return Err(wrong(format!("{interface} has no address, and the file names none"), help));
    }
    Ok(usable)
}

/// A port whose stack acquires addresses needs none in the file.
fn acquires(port: &config::PortConfig) -> bool {
    matches!(port, config::PortConfig::Tap(tap) if tap.dhcp4 || tap.slaac)
}

/// What the stacks of a tap port find out by themselves. Worker 0 of the port keeps the state.
pub(super) fn host(port: &TapConfig, queue: u32) -> HostConfig {
    HostConfig {
        keeps_state: queue == 0,
        dad_transmits: u8::from(port.duplicate_address_detection && port.answer_arp),
        probe_ipv4: port.probe_ipv4 && port.answer_arp,
        slaac: port.slaac,
        route_information: port.accept_routes,
        identifiers: match port.ipv6_address_generation {
            AddressGeneration::Eui64 => Identifiers::Eui64,
            AddressGeneration::StablePrivacy => {
                crate::host::machine_secret().map_or(Identifiers::Eui64, |secret| Identifiers::Stable { secret })
            }
        },
        dhcp: port.dhcp4.then(|| DhcpConfig { previous: None, host_name: crate::host::name() }),
        ..HostConfig::default()
    }
}

/// The configuration of the stacks of one port.
pub(super) fn config(
    config: &Config,
    addresses: &[Cidr],
    gateways: &[IpAddr],
    mtu: u16,
    vlan: Option<u16>,
    answer_arp: bool,
    answer_echo: bool,
) -> StackConfig {
    let routes = gateways.iter().map(|&via| {
        let any = if via.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        Cidr::new(any, 0).map(|dest| Route { dest, via })
    });
    StackConfig {
        mtu,
        addresses: addresses.to_vec(),
        routes: routes.flatten().collect(),
        vlan,
        answer_arp,
        answer_echo,
        limits: IpLimits::default(),
        tcp: tcp(config),
        ..StackConfig::default()
    }
}

/// The controller of that name.
pub fn congestion(named: config::Congestion) -> CongestionKind {
    match named {
        config::Congestion::NewReno => CongestionKind::NewReno,
        config::Congestion::Cubic => CongestionKind::Cubic,
        config::Congestion::Bbr => CongestionKind::Bbr,
    }
}

fn tcp(config: &Config) -> TcpConfig {
    let bytes = |size: Size| u32::try_from(size.0).unwrap_or(u32::MAX);
    let (limits, tcp) = (&config.server.limits, &config.server.tcp);
    TcpConfig {
        max_connections: limits.max_connections as usize,
        max_half_open: limits.half_open as usize,
        max_time_wait: tcp.max_time_wait as usize,
        receive_buffer: bytes(limits.receive_buffer),
        receive_buffer_max: bytes(limits.receive_buffer_max),
        send_buffer: bytes(limits.send_buffer),
        send_buffer_max: bytes(limits.send_buffer_max),
        memory: MemoryLimits::of(limits.memory.as_usize()),
        on_memory_exhausted: match limits.on_memory_exhausted {
            config::OnMemoryExhausted::ResetLargest => OnMemoryExhausted::ResetLargest,
            config::OnMemoryExhausted::ResetOldest => OnMemoryExhausted::ResetOldest,
            config::OnMemoryExhausted::Refuse => OnMemoryExhausted::Refuse,
        },
        time_wait: tcp.time_wait,
        fin_wait_2: tcp.fin_wait,
        rto_min: tcp.rto_min,
        rto_max: tcp.rto_max,
        data_retries: tcp.data_retries,
        syn_ack_retries: tcp.syn_ack_retries,
        syn_cookies: match tcp.syn_cookies {
            config::SynCookies::Off => SynCookieMode::Off,
            config::SynCookies::WhenFull => SynCookieMode::WhenFull,
            config::SynCookies::Always => SynCookieMode::Always,
        },
        ecn: match tcp.ecn {
            config::EcnMode::Off => EcnMode::Off,
            config::EcnMode::Passive => EcnMode::Passive,
            config::EcnMode::Active => EcnMode::Active,
        },
        delayed_ack: tcp.delayed_ack,
        congestion: congestion(tcp.congestion),
        keep_alive: tcp.keep_alive.map(|idle| KeepAlive {
            idle,
            interval: tcp.keep_alive_interval,
            probes: tcp.keep_alive_probes,
        }),
        ..TcpConfig::default()
    }
}
