//! `mgmt routes` and `mgmt explain`.

use super::Session;
use crate::cli::ExplainArgs;
use crate::exit::Failure;
use crate::table::Table;
use crate::text::{count, printable};
use mgmt_api::{ExplainReply, ExplainRequest, RouteInfo, RoutesReply};

pub(super) fn table(reply: &RoutesReply, width: Option<usize>) -> String {
    let with_hosts = reply.routes.iter().any(|route| !route.hosts.is_empty());
    let mut header = vec!["METHODS", "PATTERN", "DECLARED", "ACTION"];
    if with_hosts {
        header.insert(0, "HOSTS");
    }
    let mut table = Table::new(header);
    for route in &reply.routes {
        let mut cells = vec![
            methods(route).into(),
            route.pattern.as_str().into(),
            place(route).into(),
            route.action.as_str().into(),
        ];
        if with_hosts {
            let hosts = if route.hosts.is_empty() { "*".to_owned() } else { route.hosts.join(",") };
            cells.insert(0, hosts.into());
        }
        table.row(cells);
    }
    let routes = count(reply.routes.len() as u64, "route");
    format!("{}\n{routes}, generation {}\n", table.render(width), reply.generation)
}

pub(super) fn explain(session: &Session, args: ExplainArgs) -> Result<(), Failure> {
    let request = ExplainRequest { method: args.method, url: args.url, host: args.host };
    session.once(&request, |reply, _| explanation(reply))
}

fn explanation(reply: &ExplainReply) -> String {
    let host = if reply.host.is_empty() { String::new() } else { format!(" at {}", printable(&reply.host)) };
    let mut text = format!("{} {}{host}\n", printable(&reply.method), printable(&reply.path));
    match &reply.matched {
        Some(route) => {
            text.push_str(&format!("  route   {} {}\n", methods(route), printable(&route.pattern)));
            text.push_str(&format!("  action  {}\n", printable(&route.action)));
            text.push_str(&format!("  from    {}\n", printable(&place(route))));
        }
        None => text.push_str("  route   none\n"),
    }
    if let Some(status) = reply.status {
        text.push_str(&format!("  status  {status}\n"));
    }
    if !reply.allowed_methods.is_empty() {
        text.push_str(&format!("  allows  {}\n", printable(&reply.allowed_methods.join(", "))));
    }
    for reason in &reply.reasons {
        text.push_str(&format!("  - {}\n", printable(reason)));
    }
    text
}

fn methods(route: &RouteInfo) -> String {
    if route.methods.is_empty() { "*".to_owned() } else { printable(&route.methods.join("|")) }
}

/// `file:line:column`, as editors understand it.
fn place(route: &RouteInfo) -> String {
    match (route.line, route.column) {
        (0, _) => route.file.clone(),
        (line, 0) => format!("{}:{line}", route.file),
        (line, column) => format!("{}:{line}:{column}", route.file),
    }
}
