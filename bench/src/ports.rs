//! The generator's own ports and stacks.

use crate::error::BenchError;
use anygate::clock::Clock;
use netstack::tcp::TcpConfig;
use netstack::{Cidr, IpLimits, Stack, StackConfig};
use port::Port;
use port_afxdp::{AfXdpConfig, AfXdpDevice, AfXdpPort, BusyPoll, LocalAddress};
use std::net::IpAddr;

/// A queue of an interface with the device behind it: dropping the device would detach the program.
pub struct ClientPort {
    /// The port.
    pub port: AfXdpPort,
    /// To be kept as long as the port.
    pub device: AfXdpDevice,
}

/// Opens queue 0 of `interface` for `addresses` (`10.0.0.9/24`), which belong to the generator alone, and a stack on it.
pub fn client_on(interface: &str, addresses: &[String], clock: &Clock) -> Result<(ClientPort, Stack), BenchError> {
    let cidrs = addresses.iter().map(|text| cidr(text)).collect::<Result<Vec<_>, _>>()?;
    let config = AfXdpConfig {
        queues: Some(1),
        addresses: cidrs.iter().map(|cidr| LocalAddress::exclusive(cidr.address())).collect(),
        busy_poll: Some(BusyPoll::default()),
        ..AfXdpConfig::new(interface)
    };
    let open = open_queue(config)?;
    let stack = client_stack(&open.port, cidrs, clock)?;
    Ok((open, stack))
}

/// Opens queue 0 of an interface of the calling thread's namespace.
pub fn open_queue(config: AfXdpConfig) -> Result<ClientPort, BenchError> {
    let refused = |error: port::PortError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})")).unwrap_or_default();
        BenchError::new(format!("{error}{cause}"))
    };
    let interface = config.interface.clone();
    let (device, queues) = AfXdpDevice::open(config).map_err(refused)?;
    let queue = queues.into_iter().next().ok_or_else(|| BenchError::new(format!("{interface} has no queue")))?;
    Ok(ClientPort { port: queue.build().map_err(refused)?, device })
}

/// A stack for a generator on any port.
pub fn client_stack(port: &impl Port, addresses: Vec<Cidr>, clock: &Clock) -> Result<Stack, BenchError> {
    let config = StackConfig {
        mac: port.info().mac,
        mtu: port.info().mtu,
        addresses,
        tx_checksum_offload: port.capabilities().tx_checksum,
        // The first SYNs all wait for the server's MAC address.
        limits: IpLimits { neighbor_pending: 1024, ..IpLimits::default() },
        tcp: TcpConfig { ephemeral_ports: (1024, 65_535), ..TcpConfig::default() },
        ..StackConfig::default()
    };
    let seed = anygate::host::random_seed().map_err(|e| BenchError::io("draw a seed", e))?;
    Stack::new(config, port.pool().clone(), seed, clock.now()).map_err(|e| BenchError::new(e.to_string()))
}

fn cidr(text: &str) -> Result<Cidr, BenchError> {
    let wrong = || BenchError::new(format!("`{text}` is not an address with a prefix length, as 10.0.0.9/24"));
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    Cidr::new(address, prefix.parse().map_err(|_| wrong())?).ok_or_else(wrong)
}
