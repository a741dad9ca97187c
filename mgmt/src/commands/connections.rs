//! `mgmt conns`.

use super::Session;
use crate::cli::ConnsArgs;
use crate::exit::Failure;
use crate::table::{Cell, Table};
use crate::text::{count, number};
use mgmt_api::{ConnectionsReply, ConnectionsRequest};

pub(super) fn run(session: &Session, args: &ConnsArgs) -> Result<(), Failure> {
    let request =
        ConnectionsRequest { state: args.state, remote: args.remote, local_port: args.port, limit: args.limit };
    session.once(&request, table)
}

fn table(reply: &ConnectionsReply, width: Option<usize>) -> String {
    let mut table =
        Table::new(["WORKER", "LOCAL", "REMOTE", "STATE", "RECV-Q", "SEND-Q", "RTT", "CWND", "RETRANS", "AGE", "IDLE"]);
    for row in &reply.connections {
        table.row([
            row.worker.into(),
            row.local.to_string().into(),
            row.remote.to_string().into(),
            row.state.name().into(),
            row.receive_queue_bytes.into(),
            row.send_queue_bytes.into(),
            row.rtt_microseconds.map_or(Cell::None, |micros| Cell::Figure(format!("{} us", number(micros)))),
            row.congestion_window_bytes.into(),
            row.retransmits.into(),
            row.age_milliseconds.map_or(Cell::None, short),
            row.idle_milliseconds.map_or(Cell::None, short),
        ]);
    }
    let shown = reply.connections.len() as u64;
    let more = if reply.truncated { "; more fit, --limit shows more" } else { "" };
    format!("{}\n{} of {} shown{more}\n", table.render(width), number(shown), count(reply.open, "open connection"))
}

fn short(milliseconds: u64) -> Cell {
    Cell::Figure(match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        _ => format!("{} s", number(milliseconds / 1_000)),
    })
}
