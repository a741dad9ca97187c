//! The port against the kernel, in network namespaces of its own. Needs root; skips with a line otherwise.
#![allow(clippy::disallowed_methods, reason = "tests measure and wait in real time")]

#[path = "../common/mod.rs"]
mod common;

mod kernel;
mod lifetime;
mod modes;
mod oversize;
mod redirect;
mod refusals;
mod transmit;

use std::net::IpAddr;

use port_afxdp::{AfXdpConfig, LocalAddress, Service, XdpMode};

/// The addresses that the server's kernel has too.
const SHARED: [&str; 2] = ["10.98.0.2", "fd98::2"];
/// Addresses that only we have.
const EXCLUSIVE: [&str; 2] = ["10.98.0.77", "fd98::77"];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Small rings, shared addresses, and UDP port 9000 on both of them.
fn config(mode: XdpMode) -> AfXdpConfig {
    AfXdpConfig {
        mode,
        frames: 1024,
        ring_entries: 256,
        services: SHARED.map(|address| Service::udp(Some(ip(address)), 9000)).to_vec(),
        addresses: SHARED.map(|address| LocalAddress::shared(ip(address))).to_vec(),
        ..AfXdpConfig::new("v0")
    }
}

/// The same with the addresses that are ours alone.
fn exclusive(mode: XdpMode) -> AfXdpConfig {
    let addresses = EXCLUSIVE.map(|address| LocalAddress::exclusive(ip(address))).to_vec();
    AfXdpConfig { services: Vec::new(), addresses, ..config(mode) }
}
