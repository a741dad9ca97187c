//! The report as one readable page.

use super::plot::{Bar, bars, escape, grouped};
use super::rows::{Report, Row};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:920px;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;font-size:13px}th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:right}\
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2),th:nth-child(3),td:nth-child(3){text-align:left}\
svg{width:100%;margin:1rem 0}svg text{font:12px system-ui,sans-serif;fill:#222}svg .title{font-weight:600;font-size:14px}\
.ours{fill:#2563eb}.peer{fill:#9ca3af}.note{color:#666;text-align:left}";

/// HTML with plots inside; needs nothing beside it.
pub fn render(report: &Report) -> String {
    let facts = &report.facts;
    let mut page = format!(
        "<!doctype html><meta charset=utf-8><title>AnyGate bench</title><style>{STYLE}</style><h1>AnyGate bench</h1>\
         <p>{} · commit {} · {} · {}</p><p>{}.</p>",
        escape(&facts.date),
        escape(&facts.commit),
        escape(&facts.machine),
        escape(&facts.nginx),
        escape(&facts.method),
    );
    for note in &facts.notes {
        page.push_str(&format!("<p class=note>{}</p>", escape(note)));
    }
    page.push_str(&plot(report, "Answers a second on one server core", "1/s", |row| row.requests_per_second));
    page.push_str(&plot(report, "Busy time of the server's core for one request", "µs, less is better", |row| {
        row.cpu_us_per_request
    }));
    page.push_str(&plot(report, "99th percentile of latency", "µs, less is better", |row| row.p99_us));
    page.push_str(&plot(report, "Memory for one idle connection", "bytes, less is better", |row| {
        row.bytes_per_connection
    }));
    page.push_str(&table(&report.rows));
    page
}

fn plot(report: &Report, title: &str, unit: &str, figure: impl Fn(&Row) -> Option<f64>) -> String {
    let drawn: Vec<Bar> = report
        .rows
        .iter()
        .filter_map(|row| {
            let label = format!("{} · {}", row.scenario, row.server);
            figure(row).map(|value| Bar { label, value, ours: row.server == "anygate" })
        })
        .collect();
    if drawn.is_empty() { String::new() } else { bars(title, unit, &drawn) }
}

fn table(rows: &[Row]) -> String {
    let heads = [
        "scenario",
        "server",
        "port",
        "conns",
        "idle",
        "req/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "cpu µs/req",
        "instr/req",
        "B/idle conn",
        "",
    ];
    let mut html = String::from("<table><tr>");
    heads.iter().for_each(|head| html.push_str(&format!("<th>{head}")));
    for row in rows {
        let figures = [
            row.requests_per_second,
            row.p50_us,
            row.p99_us,
            row.p999_us,
            row.cpu_us_per_request,
            row.instructions_per_request,
            row.bytes_per_connection,
        ];
        html.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}",
            row.scenario, row.server, row.port, row.connections, row.idle_connections
        ));
        figures.iter().for_each(|figure| html.push_str(&format!("<td>{}", figure.map_or("–".into(), grouped))));
        let faults = if row.faults.is_empty() { String::new() } else { format!("faults: {:?} ", row.faults) };
        html.push_str(&format!("<td class=note>{}{}", escape(&faults), escape(row.note.as_deref().unwrap_or(""))));
    }
    html.push_str("</table>");
    html
}
