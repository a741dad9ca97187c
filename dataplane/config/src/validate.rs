//! What must hold between values that are each right by themselves.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::model::{Config, Workers};
use crate::ports::PortConfig;

/// Ports at most.
const MAX_PORTS: usize = 64;

/// Checks a whole configuration.
pub(crate) fn check(config: &Config, found: &mut Diagnostics) {
    server(config, found);
    if config.ports.len() > MAX_PORTS {
        found.push(config.error_at("ports", format!("there can be at most {MAX_PORTS} ports")));
    }
    for (index, port) in config.ports.iter().enumerate() {
        self::port(config, index, port, found);
    }
    interfaces(config, found);
    addresses(config, found);
    listeners(config, found);
    // What is missing altogether is only worth a word when nothing is wrong.
    if !found.has_errors() {
        missing(config, found);
    }
}

fn missing(config: &Config, found: &mut Diagnostics) {
    if config.ports.is_empty() {
        let wrong = config.warning_at("ports", "the configuration has no ports: nothing can be received");
        found.push(wrong.help("add `ports:` with `kind: af_xdp` or `kind: tap`"));
    }
    if config.route_groups().all(|group| group.routes.is_empty()) {
        let wrong = config.warning_at("routes", "the configuration has no routes: every request will be answered 404");
        found.push(wrong.help("add `routes:`, such as `GET /hello: OK`"));
    }
}

/// `wrong` with the value at `path` shown as the other place.
fn with_related(config: &Config, wrong: Diagnostic, path: &str, text: &str) -> Diagnostic {
    let there = config.error_at(path, "");
    wrong.related(there.at, there.source_line, there.length, text)
}

fn server(config: &Config, found: &mut Diagnostics) {
    let server = &config.server;
    if server.listen.is_empty() {
        found.push(config.error_at("server.listen", "`server.listen` names no address").help("such as `:80`"));
    }
    for (index, listener) in server.listen.iter().enumerate() {
        if let Some(first) = server.listen[..index].iter().position(|other| other.address == listener.address) {
            let wrong =
                config.error_at(&format!("server.listen.{index}"), format!("`{listener}` is listened on twice"));
            found.push(with_related(config, wrong, &format!("server.listen.{first}"), "first given here"));
        }
    }
    if let Some(header) = &server.server_header
        && !(header.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            && header.trim() == header
            && (1..=256).contains(&header.len()))
    {
        let wrong = config.error_at(
            "server.server_header",
            "`server.server_header` must be 1 to 256 printable ASCII characters without spaces at its ends",
        );
        found.push(wrong.help("`off` leaves the header out"));
    }
    if let Workers::Count(workers) = server.workers
        && !server.cores.0.is_empty()
        && server.cores.0.len() < usize::from(workers)
    {
        let wrong = config.warning_at("server.cores", format!("{workers} workers share {} CPUs", server.cores.0.len()));
        found.push(with_related(config, wrong, "server.workers", "the workers"));
    }
    if server.tcp.rto_min > server.tcp.rto_max {
        let wrong = config.error_at("server.tcp.rto_min", "`server.tcp.rto_min` is longer than `server.tcp.rto_max`");
        found.push(with_related(config, wrong, "server.tcp.rto_max", "the longest timeout"));
    }
    if server.control.mode.0 & 0o002 != 0 {
        let wrong = config
            .warning_at("server.control.mode", "every user of this machine can control AnyGate through the socket");
        found.push(wrong.help("`0660` with `group` lets one group do it"));
    }
}

fn port(config: &Config, index: usize, port: &PortConfig, found: &mut Diagnostics) {
    let at = |key: &str| format!("ports.{index}.{key}");
    match port {
        PortConfig::AfXdp(port) => {
            if !port.ring.is_power_of_two() {
                let wrong = config.error_at(&at("ring"), format!("`ring` must be a power of two, not {}", port.ring));
                found.push(wrong.help(format!("the next one is {}", port.ring.next_power_of_two())));
            }
            if port.frames < port.ring {
                let wrong = config.error_at(
                    &at("frames"),
                    format!("{} frames cannot fill a ring of {} entries", port.frames, port.ring),
                );
                found.push(wrong.help(format!("give at least {}, for reception and transmission", 2 * port.ring)));
            } else if port.frames < 2 * port.ring {
                let wrong = config.warning_at(
                    &at("frames"),
                    format!("{} frames cannot fill two rings of {} entries", port.frames, port.ring),
                );
                found.push(wrong.help(format!("give at least {}, for reception and transmission", 2 * port.ring)));
            }
            if port.exclusive_addresses && port.addresses.is_empty() {
                found.push(config.error_at(
                    &at("exclusive_addresses"),
                    "`exclusive_addresses` needs `addresses`: those of the kernel stay the kernel's",
                ));
            }
        }
        PortConfig::Tap(port) => {
            if port.addresses.is_empty() && !port.dhcp4 && !port.slaac {
                found.push(
                    config
                        .error_at(&at("addresses"), "a tap port needs at least one address")
                        .help("such as `addresses: [10.77.0.2/24]`, or `dhcp4: true`, or `slaac: true`"),
                );
            }
            for (key, on) in [("dhcp4", port.dhcp4), ("slaac", port.slaac)] {
                if on && !port.answer_arp {
                    let wrong = config.error_at(&at(key), format!("`{key}` needs `answer_arp`"));
                    let wrong = with_related(config, wrong, &at("answer_arp"), "turned off here");
                    found.push(wrong.help("who acquires addresses must answer for them"));
                }
            }
            if port.accept_routes && !port.slaac {
                let wrong = config.warning_at(&at("accept_routes"), "`accept_routes` does nothing without `slaac`");
                found.push(wrong.help("add `slaac: true`"));
            }
            if port.mtu < 1280 && (port.slaac || port.addresses.iter().any(|address| address.address.is_ipv6())) {
                // RFC 8200 §5: every link carries packets of 1280 octets.
                found
                    .push(config.error_at(&at("mtu"), format!("IPv6 needs an MTU of at least 1280, not {}", port.mtu)));
            }
        }
    }
    gateways(config, index, port, found);
}

fn gateways(config: &Config, index: usize, port: &PortConfig, found: &mut Diagnostics) {
    let mut seen: HashMap<IpAddr, usize> = HashMap::new();
    for (nth, gateway) in port.gateways().iter().enumerate() {
        let path = format!("ports.{index}.gateways.{nth}");
        if let Some(first) = seen.insert(*gateway, nth) {
            let wrong = config.error_at(&path, format!("the gateway `{gateway}` is given twice"));
            found.push(with_related(config, wrong, &format!("ports.{index}.gateways.{first}"), "the first one"));
        }
        let link_local = matches!(gateway, IpAddr::V6(address) if address.is_unicast_link_local());
        let near = port.addresses().iter().any(|own| own.contains(*gateway));
        if !near && !link_local && !port.addresses().is_empty() {
            let wrong = config.error_at(&path, format!("the gateway `{gateway}` is in no network of this port"));
            found.push(wrong.help("it must be reachable directly: check the prefix lengths of `addresses`"));
        }
        if port.addresses().iter().any(|own| own.address == *gateway) {
            found.push(config.error_at(&path, format!("the gateway `{gateway}` is the port's own address")));
        }
    }
}

fn interfaces(config: &Config, found: &mut Diagnostics) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, port) in config.ports.iter().enumerate() {
        if let Some(first) = seen.insert(port.interface(), index) {
            let wrong = config.error_at(
                &format!("ports.{index}.interface"),
                format!("the interface `{}` is used by two ports", port.interface()),
            );
            found.push(
                with_related(config, wrong, &format!("ports.{first}.interface"), "first used here")
                    .help("one port can serve several queues, addresses and workers"),
            );
        }
    }
}

fn addresses(config: &Config, found: &mut Diagnostics) {
    let mut seen: HashMap<IpAddr, String> = HashMap::new();
    for (index, port) in config.ports.iter().enumerate() {
        for (nth, own) in port.addresses().iter().enumerate() {
            let path = format!("ports.{index}.addresses.{nth}");
            let address = own.address;
            if address.is_multicast()
                || address.is_unspecified()
                || address.is_loopback()
                || address == IpAddr::from([255; 4])
            {
                found.push(config.error_at(&path, format!("`{address}` cannot be the address of a port")));
            }
            if let IpAddr::V4(v4) = address
                && own.prefix_len < 31
                && (u32::from(v4) << own.prefix_len == 0
                    || u32::from(v4) << own.prefix_len == u32::MAX << own.prefix_len)
            {
                found.push(
                    config.error_at(&path, format!("`{own}` names its network or its broadcast address, not a host")),
                );
            }
            if let Some(first) = seen.get(&address) {
                let wrong = config.error_at(&path, format!("the address `{address}` is given twice"));
                found.push(with_related(config, wrong, first, "first given here"));
            } else {
                seen.insert(address, path);
            }
        }
    }
}

/// Warns of addresses to listen on that no port owns. A port may take those of the kernel, or acquire others, which are not
/// known here.
fn listeners(config: &Config, found: &mut Diagnostics) {
    if config.ports.is_empty() || config.ports.iter().any(PortConfig::acquires_addresses) {
        return;
    }
    for (index, listen) in config.server.listen.iter().enumerate() {
        let mut owned = config.ports.iter().flat_map(|port| port.addresses());
        if !owned.any(|own| listen.address.covers(own.address)) {
            let wrong = config.warning_at(
                &format!("server.listen.{index}"),
                format!("no port has an address for `{listen}`: nothing will arrive there"),
            );
            let known: Vec<String> = config
                .ports
                .iter()
                .flat_map(|port| port.addresses())
                .take(4)
                .map(|own| own.address.to_string())
                .collect();
            found.push(wrong.help(format!("the ports have {}", known.join(", "))));
        }
    }
}
