//! `mgmt ports`.

use crate::table::Table;
use crate::text::printable;
use mgmt_api::{PortStatus, PortsReply};

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
        "{}  {}\naddress {}  mtu {}  {}\n{}",
        printable(&port.interface),
        printable(&facts.join(", ")),
        port.mac,
        port.mtu_bytes,
        printable(&port.addresses.join(" ")),
        table.render(width)
    )
}
