//! `mgmt reload` and `mgmt drain`.

use super::Session;
use crate::cli::DrainArgs;
use crate::exit::Failure;
use crate::text::{count, milliseconds, printable_lines};
use mgmt_api::{DrainReply, DrainRequest, ReloadReply};

pub(super) fn reloaded(reply: &ReloadReply, _width: Option<usize>) -> String {
    let mut text = format!("reloaded: generation {}, {}\n", reply.generation, count(reply.routes, "route"));
    for warning in &reply.warnings {
        text.push_str(&format!("warning: {}\n", printable_lines(warning.trim_end())));
    }
    text
}

pub(super) fn drain(session: &Session, args: &DrainArgs) -> Result<(), Failure> {
    session.once(&DrainRequest { deadline_milliseconds: milliseconds(args.deadline) }, draining)
}

fn draining(reply: &DrainReply, _width: Option<usize>) -> String {
    let whole = reply.deadline_milliseconds / 1_000;
    let tenths = reply.deadline_milliseconds % 1_000 / 100;
    format!("draining: {}, at most {whole}.{tenths} s\n", count(reply.connections, "open connection"))
}
