//! `mgmt counters` and `mgmt drops`.

use super::Session;
use crate::cli::{CountersArgs, DropsArgs};
use crate::exit::Failure;
use crate::table::{Cell, Table};
use crate::text::count;
use mgmt_api::{CounterRow, CountersReply, CountersRequest, DropsReply, DropsRequest};

/// Columns for workers; more would not be read by anybody, and `--json` has them all.
const WORKER_COLUMNS: [&str; 16] =
    ["W0", "W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12", "W13", "W14", "W15"];

pub(super) fn counters(session: &Session, args: &CountersArgs) -> Result<(), Failure> {
    session.watch(&args.watch, &CountersRequest {}, |reply: &CountersReply, width| {
        table(&reply.counters, "counter", !args.all, args.workers, width)
    })
}

pub(super) fn drops(session: &Session, args: &DropsArgs) -> Result<(), Failure> {
    session.watch(&args.watch, &DropsRequest {}, |reply: &DropsReply, width| {
        table(&reply.reasons, "reason", args.nonzero, args.workers, width)
    })
}

fn table(rows: &[CounterRow], kind: &str, nonzero: bool, workers: bool, width: Option<usize>) -> String {
    let most_workers = rows.iter().map(|row| row.per_worker.len()).max().unwrap_or(0);
    let columns = if workers { most_workers.min(WORKER_COLUMNS.len()) } else { 0 };
    let mut header = vec!["LAYER", "NAME", "TOTAL"];
    header.extend(&WORKER_COLUMNS[..columns]);
    header.push("MEANING");
    let mut table = Table::new(header);
    let mut hidden = 0;
    for row in rows {
        if nonzero && row.total == 0 {
            hidden += 1;
            continue;
        }
        let mut cells: Vec<Cell> = vec![row.layer.as_str().into(), row.name.as_str().into(), row.total.into()];
        cells.extend((0..columns).map(|worker| Cell::from(row.per_worker.get(worker).copied())));
        cells.push(row.help.as_str().into());
        table.row(cells);
    }
    let mut text = table.render(width);
    if hidden > 0 {
        text.push_str(&format!("\n{} at zero not shown\n", count(hidden, kind)));
    }
    text
}
