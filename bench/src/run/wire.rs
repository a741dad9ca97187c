//! Two network namespaces and a veth pair between them; gone when the value is dropped.

use super::servers::ServerKind;
use crate::error::BenchError;
use crate::host::command;
use std::net::SocketAddr;

/// The server's address on every wire.
pub const SERVER: &str = "10.78.0.2";
/// First of the generator's addresses; the others follow.
const CLIENT_FIRST: u8 = 16;
/// How many source addresses the generator uses: 100,000 connections to one port need several.
const CLIENT_ADDRESSES: u8 = 8;
/// Interface of the server inside its namespace.
pub const SERVER_INTERFACE: &str = "srv0";
/// Interface of the generator inside its namespace.
pub const CLIENT_INTERFACE: &str = "gen0";

/// The wire.
#[derive(Debug)]
pub struct Wire {
    server_namespace: String,
    client_namespace: String,
}

impl Wire {
    /// Makes the namespaces and the pair. The softirq work of receiving for a kernel server is steered to its core:
    /// otherwise the generator's core would do it, and the server would look faster than its core is.
    pub fn up(kind: ServerKind, server_core: usize) -> Result<Wire, BenchError> {
        let pid = std::process::id();
        let wire = Wire { server_namespace: format!("agb-{pid}-srv"), client_namespace: format!("agb-{pid}-gen") };
        wire.remove();
        let (srv, gen_) = (&wire.server_namespace, &wire.client_namespace);
        command("ip", &["netns", "add", srv])?;
        command("ip", &["netns", "add", gen_])?;
        command(
            "ip",
            &[
                "link",
                "add",
                SERVER_INTERFACE,
                "netns",
                srv,
                "type",
                "veth",
                "peer",
                "name",
                CLIENT_INTERFACE,
                "netns",
                gen_,
            ],
        )?;
        for (namespace, interface) in [(srv, SERVER_INTERFACE), (gen_, CLIENT_INTERFACE)] {
            command("ip", &["-n", namespace, "link", "set", "lo", "up"])?;
            // IPv6 duplicate address detection and router solicitation would be noise on the wire.
            let quiet = format!("echo 1 > /proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
            command("ip", &["netns", "exec", namespace, "sh", "-c", &quiet])?;
            command("ip", &["-n", namespace, "link", "set", interface, "up"])?;
        }
        command("ip", &["-n", srv, "addr", "add", &format!("{SERVER}/24"), "dev", SERVER_INTERFACE])?;
        if kind == ServerKind::Nginx {
            let steer =
                format!("echo {:x} > /sys/class/net/{SERVER_INTERFACE}/queues/rx-0/rps_cpus", 1u64 << server_core);
            command("ip", &["netns", "exec", srv, "sh", "-c", &steer])?;
        }
        Ok(wire)
    }

    /// Namespace of the server.
    pub fn server_namespace(&self) -> &str {
        &self.server_namespace
    }

    /// Namespace of the generator.
    pub fn client_namespace(&self) -> &str {
        &self.client_namespace
    }

    /// Source addresses of the generator, with their prefix length.
    pub fn client_addresses(&self) -> Vec<String> {
        (0..CLIENT_ADDRESSES).map(|i| format!("10.78.0.{}/24", CLIENT_FIRST + i)).collect()
    }

    /// Where the server listens.
    pub fn server(&self) -> SocketAddr {
        SocketAddr::from(([10, 78, 0, 2], 80))
    }

    fn remove(&self) {
        for namespace in [&self.server_namespace, &self.client_namespace] {
            // Deleting a namespace that does not exist fails, and is what we want.
            let _ = command("ip", &["netns", "del", namespace]);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.remove();
    }
}
