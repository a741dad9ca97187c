//! The configuration as the workers see it: compiled once, never changed, swapped whole.
//!
//! ```text
//!   file ─▶ config::Config ─▶ Router + Actions ─▶ Snapshot ─▶ ArcSwap ─▶ each worker, at the top of a turn
//! ```
//!
//! A request keeps the snapshot it began with until its answer is complete; the last request to leave drops it.

use actions::Actions;
use arc_swap::ArcSwap;
use config::{Config, Diagnostic, Diagnostics};
use router::Router;
use std::sync::Arc;

/// Everything that a request needs.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up with every swap; 1 at the start.
    pub generation: u64,
    /// The routes.
    pub router: Router,
    /// What a match does, by rule.
    pub actions: Actions,
    /// Limits of HTTP/1.1.
    pub limits: proto::h1::Limits,
    /// Connections of one worker at most.
    pub max_connections: usize,
    /// Bytes of a request body that an echo shows.
    pub echo_body_bytes: usize,
    /// Bytes that may wait to be sent on one connection before its next request is read.
    pub send_buffer_bytes: usize,
}

impl Snapshot {
    /// Compiles a configuration. The warnings come back beside the snapshot.
    pub fn compile(config: &Config, generation: u64) -> Result<(Snapshot, Vec<Diagnostic>), Diagnostics> {
        let (router, warnings) = Router::compile(&config.route_groups)?;
        let server = &config.server;
        let actions = Actions::compile(&router, server.server_header.as_deref());
        let snapshot = Snapshot {
            generation,
            router,
            actions,
            limits: limits(server),
            max_connections: server.limits.max_connections,
            echo_body_bytes: server.limits.echo_body,
            send_buffer_bytes: server.limits.send_buffer,
        };
        Ok((snapshot, warnings))
    }
}

/// The cell that holds the snapshot of the moment.
#[derive(Clone, Debug)]
pub struct Current(Arc<ArcSwap<Snapshot>>);

impl Current {
    /// Starts with `first`.
    pub fn new(first: Snapshot) -> Current {
        Current(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// Swaps: requests that begin from now on see `next`.
    pub fn swap(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }

    /// The snapshot of the moment.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// A reader for one worker: asking it again costs one load while nothing has changed.
    pub fn reader(&self) -> Reader {
        let seen = self.0.load_full();
        Reader { cell: self.0.clone(), seen }
    }
}

/// One worker's view of the cell.
#[derive(Debug)]
pub struct Reader {
    cell: Arc<ArcSwap<Snapshot>>,
    seen: Arc<Snapshot>,
}

impl Reader {
    /// Looks whether there is a newer snapshot; true when there was.
    #[inline]
    pub fn refresh(&mut self) -> bool {
        // Only the address is compared, through a guard that takes no reference count.
        if std::ptr::eq(&**self.cell.load(), &*self.seen) {
            return false;
        }
        self.seen = self.cell.load_full();
        true
    }

    /// The snapshot seen last.
    #[inline]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.seen
    }
}
