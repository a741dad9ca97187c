//! The configuration as the workers see it: compiled once, never changed, swapped whole.
//!
//! ```text
//!   file ─▶ config::Config ─▶ Router + Actions ─▶ Snapshot ─▶ ArcSwap ─▶ each worker, at the top of a turn
//! ```
//!
//! A request keeps the snapshot it began with until its answer is complete; the last request to leave drops it.

use crate::devices::congestion;
use actions::{Actions, Options};
use arc_swap::ArcSwap;
use config::{Config, Diagnostic, Diagnostics, RouteGroup, ServerConfig};
use netstack::tcp::CongestionKind;
use proto::h1::Limits;
use router::{Router, RuleId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything that a request needs.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up with every swap; 1 at the start.
    pub generation: u64,
    /// The routes.
    pub router: Router,
    /// What a match does, by rule.
    pub actions: Arc<Actions>,
    /// The congestion controller that a rule asks for, by rule; empty when none does.
    congestion: Box<[Option<CongestionKind>]>,
    /// Limits of HTTP/1.1.
    pub limits: Limits,
    /// Connections of one worker at most.
    pub max_connections: usize,
}

impl Snapshot {
    /// Compiles a configuration. The warnings come back beside the snapshot.
    pub fn compile(config: &Config, generation: u64) -> Result<(Snapshot, Vec<Diagnostic>), Diagnostics> {
        let groups: Vec<RouteGroup> = config.route_groups().cloned().collect();
        let (router, warnings) = Router::compile(&groups)?;
        let server = &config.server;
        let options = Options {
            server: server.server_header.clone(),
            echo_body_limit: usize::try_from(server.limits.echo_body.0).unwrap_or(usize::MAX),
        };
        let actions = Arc::new(Actions::compile(&router, options));
        let max_connections = server.limits.max_connections as usize;
        let congestion = controllers(&router);
        let snapshot = Snapshot { generation, router, actions, congestion, limits: limits(server), max_connections };
        Ok((snapshot, warnings))
    }

    /// The congestion controller that a rule asks for.
    #[inline]
    pub fn congestion_of(&self, rule: RuleId) -> Option<CongestionKind> {
        self.congestion.get(rule.index()).copied().flatten()
    }
}

fn controllers(router: &Router) -> Box<[Option<CongestionKind>]> {
    let kinds = router.rules().iter().map(|rule| rule.congestion.map(congestion));
    if kinds.clone().any(|kind| kind.is_some()) { kinds.collect() } else { Box::default() }
}

fn limits(server: &ServerConfig) -> Limits {
    let (limits, timeouts) = (&server.limits, &server.timeouts);
    let bytes = |size: config::Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    Limits {
        request_line_bytes: bytes(limits.request_line),
        header_bytes: bytes(limits.header_bytes),
        header_count: usize::from(limits.header_count),
        body_bytes: limits.body.0,
        chunk_extension_bytes: u32::try_from(limits.chunk_extensions.0).unwrap_or(u32::MAX),
        trailer_bytes: bytes(limits.trailer_bytes),
        drain_bytes: limits.discard_body.0,
        requests_per_connection: limits.requests_per_connection,
        body_rate: limits.body_rate.0,
        head_timeout: timeouts.header,
        body_timeout: timeouts.body,
        idle_timeout: timeouts.idle,
        write_timeout: timeouts.write,
    }
}

/// The cell that holds the snapshot of the moment.
#[derive(Clone, Debug)]
pub struct Current(Arc<Cell>);

#[derive(Debug)]
struct Cell {
    snapshot: ArcSwap<Snapshot>,
    /// Counts swaps: what workers look at each turn, one load of a line that hardly ever changes.
    swaps: AtomicU64,
}

impl Current {
    /// Starts with `first`.
    pub fn new(first: Snapshot) -> Current {
        Current(Arc::new(Cell { snapshot: ArcSwap::from_pointee(first), swaps: AtomicU64::new(0) }))
    }

    /// Swaps: requests that begin from now on see `next`.
    pub fn swap(&self, next: Snapshot) {
        self.0.snapshot.store(Arc::new(next));
        self.0.swaps.fetch_add(1, Ordering::Release);
    }

    /// The snapshot of the moment.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// A reader for one worker: asking it again costs one load while nothing has changed.
    pub fn reader(&self) -> Reader {
        // The number first: a swap between the two is seen again, which is harmless.
        let swaps = self.0.swaps.load(Ordering::Acquire);
        Reader { current: self.clone(), seen: self.load(), swaps }
    }
}

/// One worker's view of the cell.
#[derive(Debug)]
pub struct Reader {
    current: Current,
    seen: Arc<Snapshot>,
    swaps: u64,
}

impl Reader {
    /// Looks whether there is a newer snapshot; true when there was.
    #[inline]
    pub fn refresh(&mut self) -> bool {
        let swaps = self.current.0.swaps.load(Ordering::Acquire);
        if swaps == self.swaps {
            return false;
        }
        self.swaps = swaps;
        self.seen = self.current.load();
        true
    }

    /// The snapshot seen last.
    #[inline]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.seen
    }
}
