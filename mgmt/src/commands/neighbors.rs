//! `mgmt neigh`.

use crate::table::{Cell, Table};
use crate::text::number;
use mgmt_api::NeighborsReply;

pub(super) fn table(reply: &NeighborsReply, width: Option<usize>) -> String {
    if reply.neighbors.is_empty() {
        return "no neighbours known yet\n".to_owned();
    }
    let mut table = Table::new(["INTERFACE", "WORKER", "AGE", "STATE", "LINK ADDRESS", "ADDRESS"]);
    for row in &reply.neighbors {
        table.row([
            row.interface.as_str().into(),
            row.worker.into(),
            row.age_milliseconds.map_or(Cell::None, |age| Cell::Figure(format!("{} s", number(age / 1_000)))),
            row.state.as_str().into(),
            row.mac.map(|mac| mac.to_string()).into(),
            row.address.to_string().into(),
        ]);
    }
    table.render(width)
}
