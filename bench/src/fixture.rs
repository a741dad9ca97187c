//! The worker that is measured without a NIC: the demo's routes on any port.

use crate::error::BenchError;
use anygate::clock::{Clock, unix_seconds};
use anygate::devices::stack_on;
use anygate::snapshot::{Current, Snapshot};
use anygate::worker::{Parts, Polling, Worker, WorkerHandle};
use config::{Config, Format};
use netstack::rng::Seed;
use netstack::{Cidr, StackConfig};
use port::Port;
use std::net::{IpAddr, Ipv4Addr};

const CONFIGURATION: &str = r#"
server:
  listen: [":80"]
  limits: { max_connections: 1000000 }
  timeouts: { idle: 1h }
routes: |
  GET /fastest/ever/ok: OK
  GET POST PATCH /api/mock/rude: FORBIDDEN {"msg":"GO PATCH UR MUM!"}
  /a/b/c: *
  /a/b/c-forbidden: FORBIDDEN *
"#;

/// A worker on `port` that listens on port 80 of `address`, and its handle.
pub fn worker<P: Port>(port: P, address: Ipv4Addr, clock: &Clock) -> Result<(Worker<P>, WorkerHandle), BenchError> {
    let plan = StackConfig {
        mtu: port.info().mtu,
        addresses: Cidr::new(IpAddr::V4(address), 24).into_iter().collect(),
        ..StackConfig::default()
    };
    worker_with(port, &plan, 65_536, clock)
}

/// As [`worker`], with any stack and backlog.
pub fn worker_with<P: Port>(
    port: P,
    plan: &StackConfig,
    backlog: usize,
    clock: &Clock,
) -> Result<(Worker<P>, WorkerHandle), BenchError> {
    let wrong = |error: &dyn ToString| BenchError::new(error.to_string());
    let refused = |errors: config::Diagnostics| {
        BenchError::new(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let loaded = Config::parse("fixture", CONFIGURATION, Format::Yaml, std::iter::empty()).map_err(refused)?;
    let (snapshot, _) = Snapshot::compile(&loaded.config, 1).map_err(refused)?;
    let now = clock.now();
    let stack = stack_on(&port, plan, Seed::from_number(1), now).map_err(|e| wrong(&e))?;
    let made = WorkerHandle::new(0, None, port.info().clone());
    let (handle, inbox) = made.map_err(|e| BenchError::io("make a worker's bell", e))?;
    let parts = Parts {
        port,
        stack,
        snapshot: Current::new(snapshot),
        inbox,
        handle: handle.clone(),
        peers: Vec::new(),
        handover: None,
        polling: Polling::Always,
        backlog,
        fast_open: 0,
    };
    let mut worker = Worker::new(parts, now, unix_seconds());
    worker.listen(&loaded.config.server.listen).map_err(BenchError::new)?;
    Ok((worker, handle))
}
