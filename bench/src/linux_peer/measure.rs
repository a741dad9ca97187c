//! From the cells that were asked for to the table: a job for every run, all of them on the lanes, and their outcomes put
//! together again.

use super::LinuxPeerArgs;
use super::cells::{self, BulkCell, Path, RequestCell, ShareCell};
use super::dispatch::{Job, Room, run_all};
use super::lane::{Lane, PathConfig, Rival};
use super::table::{BulkRow, RequestRow, ShareRow, Table};
use super::work::{self, BulkOutcome, Control, RequestOutcome, ShareOutcome, Way};
use crate::error::BenchError;
use anygate::clock::Clock;
use netstack::rng::Rng;
use port::impair::LinkConfig;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clients that ask for short answers at the same time.
const REQUEST_CLIENTS: usize = 6;
/// A run that the machine limited is made again so often at most.
const SECOND_TRIES: usize = 2;

/// What a job came to.
enum Outcome {
    Bulk(BulkOutcome),
    Requests(RequestOutcome),
    Share(ShareOutcome),
}

/// The cells that were asked for.
struct Wanted {
    bulk: Vec<BulkCell>,
    requests: Vec<RequestCell>,
    share: Vec<ShareCell>,
}

/// Measures what was asked for.
pub fn measure(args: &LinuxPeerArgs, clock: Clock) -> Table {
    let named = |text: String| args.only.as_ref().is_none_or(|only| text.contains(only.as_str()));
    let wanted = Wanted {
        bulk: cells::bulk_cells(args.quick).into_iter().filter(|cell| named(cell.text())).collect(),
        requests: cells::request_cells(args.quick).into_iter().filter(|cell| named(cell.text())).collect(),
        share: cells::share_cells(args.quick).into_iter().filter(|cell| named(cell.text())).collect(),
    };
    let bare_path = if args.only.is_none() { bare_path(clock) } else { BTreeMap::new() };
    let jobs = jobs(args, &wanted);
    let outcomes = run_all(&jobs, args.room(), clock).into_iter().map(Result::ok);
    let mut table = Table { bare_path, ..collect(args, wanted, outcomes) };
    table.judge();
    table
}

fn jobs<'a>(args: &'a LinuxPeerArgs, wanted: &Wanted) -> Vec<Job<'a, Outcome>> {
    let mut jobs = Vec::new();
    for cell in &wanted.bulk {
        for run in 0..runs(args, cell) {
            jobs.extend(Rival::BOTH.map(|rival| bulk_job(args, *cell, rival, run)));
        }
    }
    for cell in &wanted.requests {
        jobs.extend(Rival::BOTH.map(|rival| request_job(args, *cell, rival)));
    }
    for cell in &wanted.share {
        jobs.extend((0..cell.runs()).map(|run| share_job(args, *cell, run)));
    }
    jobs
}

/// Rows from the outcomes, which come in the order of the jobs; `None` is one that could not be run.
fn collect(args: &LinuxPeerArgs, wanted: Wanted, mut outcomes: impl Iterator<Item = Option<Outcome>>) -> Table {
    let mut table = Table::default();
    for cell in wanted.bulk {
        let mut runs_of: [Vec<BulkOutcome>; 2] = Default::default();
        for _ in 0..runs(args, &cell) {
            for of in &mut runs_of {
                if let Some(Some(Outcome::Bulk(outcome))) = outcomes.next() {
                    of.push(outcome);
                }
            }
        }
        table.bulk.push(BulkRow::new(cell, runs_of));
    }
    for cell in wanted.requests {
        let runs_of = Rival::BOTH.map(|_| match outcomes.next() {
            Some(Some(Outcome::Requests(outcome))) => vec![outcome],
            _ => Vec::new(),
        });
        table.requests.push(RequestRow::new(cell, runs_of));
    }
    for cell in wanted.share {
        let runs = (0..cell.runs()).filter_map(|_| match outcomes.next() {
            Some(Some(Outcome::Share(outcome))) => Some(outcome),
            _ => None,
        });
        table.fairness.push(ShareRow::new(&cell, runs.collect()));
    }
    table
}

fn runs(args: &LinuxPeerArgs, cell: &BulkCell) -> usize {
    args.runs.unwrap_or(if args.quick { 3 } else { cell.runs() }).max(1)
}

/// Processor cores that a run which carries `mbit` megabits a second uses: measured on the reports' machine. The faster, the
/// more frames are handled at once.
fn cores(mbit: f64) -> f64 {
    0.015 + 0.0009 * mbit.min(100.0) + 0.00035 * (mbit - 100.0).max(0.0)
}

/// The seed of a run: the same for both rivals.
fn seed(args: &LinuxPeerArgs, cell: &str, run: usize) -> u64 {
    let mixed = cell.bytes().fold(args.seed, |hash, byte| Rng::new(hash ^ u64::from(byte)).next_u64());
    Rng::new(mixed.wrapping_add(run as u64)).next_u64()
}

/// A run's path, and where the run is recorded if it is.
fn path_config(args: &LinuxPeerArgs, path: &Path, seed: u64, name: &str) -> PathConfig {
    let file = name.replace([' ', '/'], "_");
    let record = args.record.as_ref().map(|folder| folder.join(file));
    PathConfig { links: [path.link(), path.link()], seed, record }
}

fn bulk_job(args: &LinuxPeerArgs, cell: BulkCell, rival: Rival, run: usize) -> Job<'_, Outcome> {
    let name = format!("{}, {}, run {run}", cell.text(), rival.name());
    let path = path_config(args, &cell.path, seed(args, &cell.text(), run), &name);
    let time = args.bulk_time(cell.path.rtt());
    let work = move |lane: &Lane| {
        let mut outcome = work::bulk(lane, &path, rival, cell.way, time, Control::cubic())?;
        for _ in 0..SECOND_TRIES {
            if outcome.conditions.machine_limited(cell.path.rtt()).is_none() {
                break;
            }
            outcome = work::bulk(lane, &path, rival, cell.way, time, Control::cubic())?;
        }
        Ok(Outcome::Bulk(outcome))
    };
    Job { cost: cores(cell.path.expected_mbit()), time, name, work: Box::new(work) }
}

fn request_job(args: &LinuxPeerArgs, cell: RequestCell, rival: Rival) -> Job<'_, Outcome> {
    let name = format!("{}, {}", cell.text(), rival.name());
    let path = path_config(args, &cell.path, seed(args, &cell.text(), 0), &name);
    let time = Duration::from_secs(if args.quick { 4 } else { 30 });
    let work = move |lane: &Lane| {
        let done = work::requests(lane, &path, rival, cell.answer_bytes, REQUEST_CLIENTS, time);
        done.map(Outcome::Requests)
    };
    Job { cost: cores(cell.path.expected_mbit() / 2.0), time, name, work: Box::new(work) }
}

fn share_job(args: &LinuxPeerArgs, cell: ShareCell, run: usize) -> Job<'_, Outcome> {
    let name = format!("{}, run {run}", cell.text());
    let path = path_config(args, &cell.path, seed(args, &cell.text(), run), &name);
    let [warm_up, time] = args.share_times(cell.path.rtt());
    let work = move |lane: &Lane| work::share(lane, &path, cell.flows, warm_up, time, cell.control).map(Outcome::Share);
    Job { cost: cores(cell.path.expected_mbit()), time: warm_up + time, name, work: Box::new(work) }
}

/// What the bridge carries when it does nothing: the machine's limit, to be well above every bottleneck.
fn bare_path(clock: Clock) -> BTreeMap<String, f64> {
    let ways = |rival| [Way::Download, Way::Upload].map(|way| (rival, way));
    let all: Vec<(Rival, Way)> = Rival::BOTH.into_iter().flat_map(ways).collect();
    let job = |&(rival, way): &(Rival, Way)| Job {
        cost: f64::INFINITY,
        time: Duration::from_secs(2),
        name: format!("bare path, {}, {}", rival.name(), way.name()),
        work: Box::new(move |lane: &Lane| {
            let path = PathConfig { links: [LinkConfig::default(), LinkConfig::default()], seed: 0, record: None };
            work::bulk(lane, &path, rival, way, Duration::from_secs(2), Control::cubic())
        }),
    };
    let jobs: Vec<Job<'_, BulkOutcome>> = all.iter().map(job).collect();
    let outcomes = run_all(&jobs, Room { lanes: 1, budget: 0.0 }, clock);
    let named = |((rival, way), outcome): (&(Rival, Way), Result<BulkOutcome, BenchError>)| {
        Some((format!("{} {}", rival.name(), way.name()), outcome.ok()?.mbit_per_second))
    };
    all.iter().zip(outcomes).filter_map(named).collect()
}
