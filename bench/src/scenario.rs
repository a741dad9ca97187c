//! What is measured: the rows of the report, in order.

use crate::generator::Reuse;

/// Between generator and server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wiring {
    /// A veth pair between two network namespaces.
    Veth,
    /// Rings in memory between two cores: what the stack, HTTP and the router cost without a NIC.
    Sim,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name in the report.
    pub name: &'static str,
    /// What carries the packets.
    pub wiring: Wiring,
    /// Connections that carry load.
    pub connections: usize,
    /// Connections held beside them.
    pub idle_connections: usize,
    /// One connection for all requests, or one each.
    pub reuse: Reuse,
    /// Requests a second (open loop); `None` is as many as are answered.
    pub rate: Option<u64>,
}

impl Scenario {
    /// Whether the server may sleep between requests: what adaptive polling is for.
    pub fn is_light(&self) -> bool {
        self.rate.is_some()
    }
}

/// All scenarios. Each asks for the fixed answer `GET /fastest/ever/ok`.
pub fn scenarios() -> Vec<Scenario> {
    let row = |name, wiring, connections, idle_connections, reuse| Scenario {
        name,
        wiring,
        connections,
        idle_connections,
        reuse,
        rate: None,
    };
    let light = |name, rate| Scenario { rate: Some(rate), ..row(name, Wiring::Veth, 1, 0, Reuse::KeepAlive) };
    vec![
        row("h1-fixed-1", Wiring::Veth, 1, 0, Reuse::KeepAlive),
        row("h1-fixed-64", Wiring::Veth, 64, 0, Reuse::KeepAlive),
        row("h1-fixed-1024", Wiring::Veth, 1024, 0, Reuse::KeepAlive),
        row("h1-new-connection", Wiring::Veth, 64, 0, Reuse::NewEach),
        row("h1-fixed-64-idle-10k", Wiring::Veth, 64, 10_000, Reuse::KeepAlive),
        row("h1-fixed-64-idle-100k", Wiring::Veth, 64, 100_000, Reuse::KeepAlive),
        // The server sleeps between two requests: latency is that of waking up, busy time that of an idle machine.
        light("h1-light-100-per-second", 100),
        row("sim-h1-fixed-64", Wiring::Sim, 64, 0, Reuse::KeepAlive),
        row("sim-h1-fixed-1024", Wiring::Sim, 1024, 0, Reuse::KeepAlive),
        row("sim-h1-new-connection", Wiring::Sim, 64, 0, Reuse::NewEach),
        row("sim-h1-fixed-64-idle-100k", Wiring::Sim, 64, 100_000, Reuse::KeepAlive),
    ]
}
