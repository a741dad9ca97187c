//! The report for people: Markdown, and a heat map as SVG.

use super::Origin;
use super::cells::{Buffer, Path};
use super::table::{BulkRow, LEAST_MEAN_RATIO, LEAST_RATIO, Table};
use super::work::Way;
use std::fmt::Write;

/// Rows and columns of the bulk cells of one way: trouble and round-trip time down, rate and buffer across.
struct Grid<'a> {
    rows: Vec<(String, Vec<Option<&'a BulkRow>>)>,
    columns: Vec<String>,
}

impl<'a> Grid<'a> {
    fn of(bulk: &'a [BulkRow], way: Way) -> Grid<'a> {
        let cells: Vec<&BulkRow> = bulk.iter().filter(|row| row.cell.way == way).collect();
        let down = |path: &Path| (path.trouble, path.rtt_ms);
        let across = |path: &Path| (path.mbit, path.buffer);
        let (mut downs, mut acrosses): (Vec<_>, Vec<(u32, Buffer)>) =
            cells.iter().map(|row| (down(&row.cell.path), across(&row.cell.path))).unzip();
        downs.sort();
        downs.dedup();
        acrosses.sort();
        acrosses.dedup();
        let find = |d, a| cells.iter().copied().find(|row| down(&row.cell.path) == d && across(&row.cell.path) == a);
        Grid {
            rows: downs
                .into_iter()
                .map(|d| {
                    let name = format!("{}, {} ms", d.0.text(), d.1);
                    (name, acrosses.iter().map(|&a| find(d, a)).collect())
                })
                .collect(),
            columns: acrosses.iter().map(|(mbit, buffer)| format!("{mbit} Mbit/s {}", buffer.name())).collect(),
        }
    }
}

/// The report as Markdown.
pub fn markdown(origin: &Origin, table: &Table) -> String {
    let mut text = format!(
        "# AnyGate's TCP beside Linux's\n\n{} · commit {} · {}\n\n{}\n\n**{}**\n\n",
        origin.provenance.date,
        origin.provenance.commit,
        origin.provenance.machine,
        origin.method,
        table.verdict.text()
    );
    origin.notes.iter().for_each(|note| writeln_(&mut text, &format!("- {note}")));
    if !table.bare_path.is_empty() {
        let rates: Vec<_> = table.bare_path.iter().map(|(what, mbit)| format!("{what} {mbit:.0}")).collect();
        writeln_(&mut text, &format!("\nThe path without impairment carries, in Mbit/s: {}.", rates.join(", ")));
    }
    text.push_str("\n![Ratio of the goodputs](linux-peer.svg)\n");
    for way in [Way::Download, Way::Upload] {
        bulk(&mut text, &Grid::of(&table.bulk, way), way);
    }
    requests(&mut text, table);
    fairness(&mut text, table);
    notes(&mut text, table);
    text
}

fn bulk(text: &mut String, grid: &Grid<'_>, way: Way) {
    if grid.rows.is_empty() {
        return;
    }
    let who = match way {
        Way::Download => "the endpoint sends to the Linux client",
        Way::Upload => "the endpoint receives from the Linux client",
    };
    writeln_(
        text,
        &format!("\n## Bulk {}: {who}\n\nAnyGate / Linux in Mbit/s, median of the runs (ratio).\n", way.name()),
    );
    writeln_(text, &format!("| path | {} |", grid.columns.join(" | ")));
    writeln_(text, &format!("|---|{}", "---|".repeat(grid.columns.len())));
    for (name, cells) in &grid.rows {
        let cell = |row: &Option<&BulkRow>| {
            row.map_or_else(String::new, |row| {
                let mark = if row.ratio < LEAST_RATIO { "**" } else { "" };
                let (ours, kernel) = (row.anygate.mbit_per_second, row.linux.mbit_per_second);
                format!("{} / {} ({mark}{:.2}{mark})", short(ours), short(kernel), row.ratio)
            })
        };
        writeln_(text, &format!("| {name} | {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | ")));
    }
}

fn requests(text: &mut String, table: &Table) {
    if table.requests.is_empty() {
        return;
    }
    text.push_str(
        "\n## Short requests\n\nTime from opening the connection to the last byte of the answer, milliseconds, AnyGate / Linux. \
         The ratio is Linux's mean over ours.\n\n\
         | path | answer | median | 95 % | mean | ratio | requests |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &table.requests {
        let (a, l) = (&row.anygate, &row.linux);
        writeln_(
            text,
            &format!(
                "| {} | {} B | {} / {} | {} / {} | {} / {} | {:.2} | {} / {} |",
                row.cell.path.text(),
                row.cell.answer_bytes,
                short(a.p50_ms),
                short(l.p50_ms),
                short(a.p95_ms),
                short(l.p95_ms),
                short(a.mean_ms),
                short(l.mean_ms),
                row.ratio,
                a.answered,
                l.answered
            ),
        );
    }
}

fn fairness(text: &mut String, table: &Table) {
    if table.fairness.is_empty() {
        return;
    }
    text.push_str(
        "\n## Fairness\n\nFlows of both stacks to the Linux client through one bottleneck, Mbit/s each, in the run with the median \
         index. Rows in brackets are for information.\n\n\
         | path and flows | AnyGate | Linux | Jain's index | all runs |\n|---|---|---|---|---|\n",
    );
    for row in &table.fairness {
        let rates = |rates: &[f64]| rates.iter().map(|rate| short(*rate)).collect::<Vec<_>>().join(", ");
        let cell = if row.counts { row.cell.clone() } else { format!("({})", row.cell) };
        let runs: Vec<_> = row.runs.iter().map(|index| format!("{index:.3}")).collect();
        writeln_(
            text,
            &format!(
                "| {cell} | {} | {} | {:.3} | {} |",
                rates(&row.anygate_mbit_per_second),
                rates(&row.linux_mbit_per_second),
                row.jain,
                runs.join(", ")
            ),
        );
    }
}

fn notes(text: &mut String, table: &Table) {
    let bulk = table.bulk.iter().map(|row| (row.cell.text(), &row.notes));
    let requests = table.requests.iter().map(|row| (row.cell.text(), &row.notes));
    let fairness = table.fairness.iter().map(|row| (row.cell.clone(), &row.notes));
    let all: Vec<_> = bulk.chain(requests).chain(fairness).filter(|(_, notes)| !notes.is_empty()).collect();
    if !all.is_empty() {
        text.push_str("\n## Runs with a remark\n\n");
        all.iter().for_each(|(cell, notes)| writeln_(text, &format!("- {cell}: {}", notes.join("; "))));
    }
}

const CELL: (f64, f64) = (112.0, 26.0);
const LABEL: f64 = 200.0;

/// Ratios of the bulk cells as colours, one panel a way.
pub fn heat_map(table: &Table) -> String {
    let grids = [Way::Download, Way::Upload].map(|way| (way, Grid::of(&table.bulk, way)));
    let columns = grids.iter().map(|(_, grid)| grid.columns.len()).max().unwrap_or(0) as f64;
    let rows: usize = grids.iter().map(|(_, grid)| grid.rows.len()).sum();
    let (width, height) = (LABEL + columns * CELL.0 + 10.0, rows as f64 * CELL.1 + 2.0 * 70.0 + 30.0);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='system-ui,sans-serif' font-size='12'>\
         <rect width='{width}' height='{height}' fill='#fff'/>"
    );
    let mut y = 24.0;
    for (way, grid) in &grids {
        let _ = write!(
            svg,
            "<text x='8' y='{y}' font-weight='600' font-size='14'>{}: goodput of AnyGate over Linux</text>",
            way.name()
        );
        y += 24.0;
        for (i, column) in grid.columns.iter().enumerate() {
            let _ = write!(
                svg,
                "<text x='{:.0}' y='{y}' text-anchor='middle' font-size='10'>{column}</text>",
                LABEL + (i as f64 + 0.5) * CELL.0
            );
        }
        y += 8.0;
        for (name, cells) in &grid.rows {
            let _ = write!(svg, "<text x='{}' y='{}' text-anchor='end'>{name}</text>", LABEL - 8.0, y + 17.0);
            for (i, row) in cells.iter().enumerate() {
                let Some(row) = row else { continue };
                let x = LABEL + i as f64 * CELL.0;
                let _ = write!(
                    svg,
                    "<rect x='{x}' y='{y}' width='{}' height='{}' fill='{}'/><text x='{}' y='{}' text-anchor='middle'>{:.2}</text>",
                    CELL.0 - 2.0,
                    CELL.1 - 2.0,
                    colour(row.ratio),
                    x + CELL.0 / 2.0,
                    y + 17.0,
                    row.ratio
                );
            }
            y += CELL.1;
        }
        y += 38.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Red below what is demanded of a cell, yellow below what is demanded on average, green around one, blue well above.
fn colour(ratio: f64) -> &'static str {
    match ratio {
        r if r < LEAST_RATIO * 0.75 => "#e5534b",
        r if r < LEAST_RATIO => "#f0a39e",
        r if r < LEAST_MEAN_RATIO => "#f6e3a1",
        r if r < 1.1 => "#b7e1b5",
        _ => "#a9cdf0",
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn writeln_(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_where_the_demands_lie() {
        assert_ne!(colour(0.89), colour(0.9));
        assert_ne!(colour(0.94), colour(0.95));
        assert_eq!(colour(0.96), colour(1.05));
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([short(941.44), short(94.25), short(0.613)], ["941", "94.2", "0.61"]);
    }
}
