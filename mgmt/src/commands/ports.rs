//! `mgmt ports`.

use crate::table::{Cell, Table};
use crate::text::{number, printable};
use mgmt_api::{AddressStatus, PortStatus, PortsReply};

pub(super) fn table(reply: &PortsReply, width: Option<usize>) -> String {
    if reply.ports.is_empty() {
        return "no ports\n".to_owned();
    }
    let ports: Vec<String> = reply.ports.iter().map(|port| paragraph(port, width)).collect();
    ports.join("\n")
}

fn paragraph(port: &PortStatus, width: Option<usize>) -> String {
    let mut facts = vec![port.kind.as_str()];
    if !port.mode.is_empty() {
        facts.extend([port.mode.as_str(), if port.zero_copy { "zero-copy" } else { "copy" }]);
    }
    let dhcp = format!("dhcp {}", port.dhcp.to_lowercase());
    if !port.dhcp.is_empty() {
        facts.push(&dhcp);
    }
    facts.push(if port.link_up { "link up" } else { "link down" });
    let mut table = Table::new(["QUEUE", "WORKER", "RX FRAMES", "RX BYTES", "TX FRAMES", "TX BYTES", "DROPPED"]);
    for queue in &port.queues {
        table.row([
            queue.queue.into(),
            queue.worker.into(),
            queue.rx_frames.into(),
            queue.rx_bytes.into(),
            queue.tx_frames.into(),
            queue.tx_bytes.into(),
            queue.dropped_frames.into(),
        ]);
    }
    format!(
        "{}  {}\naddress {}  mtu {}  {}\n{}{}",
        printable(&port.interface),
        printable(&facts.join(", ")),
        port.mac,
        port.mtu_bytes,
        printable(&port.addresses.join(" ")),
        host(port, width),
        table.render(width)
    )
}

/// Addresses and routers with their lifetimes; nothing while every address is configured and in use.
fn host(port: &PortStatus, width: Option<usize>) -> String {
    let plain =
        |own: &AddressStatus| matches!(own.origin.as_str(), "static" | "link-local") && own.state == "preferred";
    let mut text = String::new();
    if !port.address_states.iter().all(plain) {
        let mut table = Table::new(["PREFERRED", "VALID", "ORIGIN", "STATE", "ADDRESS"]);
        for own in &port.address_states {
            table.row([
                lifetime(own.preferred_seconds),
                lifetime(own.valid_seconds),
                own.origin.as_str().into(),
                own.state.as_str().into(),
                own.address.as_str().into(),
            ]);
        }
        text.push_str(&table.render(width));
    }
    if port.routers.iter().any(|router| router.origin != "static" || router.state == "silent") {
        let mut table = Table::new(["LIFETIME", "ORIGIN", "STATE", "PREFERENCE", "ROUTER"]);
        for router in &port.routers {
            table.row([
                lifetime(router.lifetime_seconds),
                router.origin.as_str().into(),
                router.state.as_str().into(),
                router.preference.as_str().into(),
                router.address.as_str().into(),
            ]);
        }
        text.push_str(&table.render(width));
    }
    text
}

/// For ever is shown as nothing.
fn lifetime(seconds: Option<u64>) -> Cell {
    seconds.map_or(Cell::None, |seconds| Cell::Figure(format!("{} s", number(seconds))))
}
