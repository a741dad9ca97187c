//! What the control socket shows and does: figures that workers published, and commands to their mailboxes.

use crate::capture::Source;
use crate::control::{Backend, CaptureSource};
use crate::supervisor::Supervisor;
use crate::worker::handover::HandoverCounter;
use crate::worker::{Command, WorkerFigures, WorkerHandle};
use config::ListenAddress;
use crossbeam_channel::bounded;
use mgmt_api::{
    AddressStatus, ApiError, CaptureRequest, ConfigurationStatus, ConnectionInfo, ConnectionsReply, ConnectionsRequest,
    CounterRow, CountersReply, DrainReply, ErrorCode, ExplainReply, ExplainRequest, Mac, NeighborInfo, NeighborsReply,
    PortStatus, PortsReply, QueueStatus, ReloadReply, RouteInfo, RouterStatus, RoutesReply, ServiceState, StatusReply,
    TcpState, WorkerStatus,
};
use netstack::HostState;
use netstack::counters::IpCounter;
use netstack::host::{AddressInfo, AddressOrigin, RouterInfo};
use netstack::tcp::TcpCounter;
use port::PortCounter;
use router::{Found, Rule};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections asked of a worker at a time: a bounded piece of work in one turn.
const CONNECTIONS_AT_ONCE: usize = 256;

/// The running data plane behind the control socket.
pub struct ControlBackend(pub Arc<Supervisor>);

fn silent(worker: &WorkerHandle) -> ApiError {
    ApiError::new(ErrorCode::Refused, format!("worker {} does not answer", worker.number()))
        .with_hint("it has ended, or its mailbox is full: look at `mgmt status`")
}

impl ControlBackend {
    fn figures(&self) -> Vec<WorkerFigures> {
        self.0.workers().iter().map(WorkerHandle::figures).collect()
    }

    fn state(&self) -> ServiceState {
        match (self.0.has_ended(), self.0.is_draining()) {
            (true, _) => ServiceState::Stopped,
            (false, true) => ServiceState::Draining,
            (false, false) => ServiceState::Serving,
        }
    }

    fn warnings(&self, figures: &[WorkerFigures]) -> Vec<String> {
        let mut warnings = Vec::new();
        for (worker, figures) in self.0.workers().iter().zip(figures) {
            let number = worker.number();
            if figures.turns > 0 && !figures.link_up {
                warnings.push(format!("the link of {} (worker {number}) is down", worker.port().interface));
            }
            if figures.pool_frames > 0 && figures.pool_low_water == 0 {
                warnings.push(format!("worker {number} ran out of frames once: raise `frames` of its port"));
            }
        }
        warnings
    }
}

impl Backend for ControlBackend {
    fn status(&self) -> StatusReply {
        let (supervisor, figures) = (&self.0, self.figures());
        let snapshot = supervisor.snapshot();
        let listeners = supervisor.listen();
        StatusReply {
            product: format!("anygate {}", env!("CARGO_PKG_VERSION")),
            pid: std::process::id(),
            state: self.state(),
            uptime_seconds: supervisor.uptime().as_secs(),
            configuration: ConfigurationStatus {
                file: supervisor.file().display().to_string(),
                generation: snapshot.generation,
                routes: snapshot.router.rules().len() as u64,
                last_error: supervisor.last_error(),
            },
            listeners: listeners.iter().flat_map(|listener| socket_addresses(&listener.address)).collect(),
            connections: figures.iter().map(|f| f.http_connections).sum(),
            requests: figures.iter().map(requests).sum(),
            warnings: self.warnings(&figures),
            workers: supervisor.workers().iter().zip(&figures).map(|(w, f)| worker_status(w, f)).collect(),
        }
    }

    fn ports(&self) -> PortsReply {
        let mut ports: Vec<PortStatus> = Vec::new();
        let now = netstack::Instant::ZERO + self.0.uptime();
        let workers = self.0.workers().iter().zip(self.0.ports()).zip(self.figures());
        for ((worker, summary), figures) in workers {
            let info = worker.port();
            let queue = QueueStatus {
                queue: summary.queue,
                worker: worker.number() as u32,
                rx_frames: figures.port.get(PortCounter::RxFrames),
                rx_bytes: figures.port.get(PortCounter::RxBytes),
                tx_frames: figures.port.get(PortCounter::TxFrames),
                tx_bytes: figures.port.get(PortCounter::TxBytes),
                dropped_frames: figures.port.dropped(),
            };
            match ports.get_mut(summary.port_index) {
                Some(port) => {
                    port.link_up |= figures.link_up;
                    port.queues.push(queue);
                }
                // Workers come in the order of their ports.
                None => ports.push(PortStatus {
                    kind: info.kind.to_owned(),
                    interface: info.interface.clone(),
                    mode: if info.kind == "af_xdp" { info.mode.to_owned() } else { String::new() },
                    zero_copy: info.zero_copy,
                    mac: Mac(info.mac),
                    mtu_bytes: u32::from(info.mtu),
                    link_up: figures.link_up,
                    addresses: addresses(&summary.addresses, &figures.host),
                    address_states: figures.host.addresses.iter().map(|own| address_status(own, now)).collect(),
                    routers: figures.host.routers.iter().map(|router| router_status(router, now)).collect(),
                    dhcp: figures.host.dhcp.as_ref().map(|dhcp| dhcp.state.to_string()).unwrap_or_default(),
                    queues: vec![queue],
                }),
            }
        }
        PortsReply { ports }
    }

    fn counters(&self) -> CountersReply {
        let figures = self.figures();
        let mut counters = Vec::new();
        let mut row = |layer: &str, name: &str, help: &str, value: &dyn Fn(&WorkerFigures) -> u64| {
            counters.push(CounterRow::new(layer, name, help, figures.iter().map(value).collect()));
        };
        for &which in PortCounter::ALL {
            row("port", which.name(), which.help(), &|f| f.port.get(which));
        }
        for &which in IpCounter::ALL {
            row("ip", which.name(), which.help(), &|f| f.ip.get(which));
        }
        for &which in TcpCounter::ALL {
            row("tcp", which.name(), which.help(), &|f| f.tcp.get(which));
        }
        for &which in HandoverCounter::ALL {
            row("worker", which.name(), which.help(), &|f| f.handover.get(which));
        }
        for &which in crate::http::HttpCounter::ALL {
            row("http", which.name(), which.help(), &|f| f.http.events.get(which));
        }
        for &which in actions::Reason::ALL {
            row("http", which.name(), which.help(), &|f| f.http.reasons.get(which));
        }
        for &which in proto::Refusal::ALL {
            row("http", which.name(), which.help(), &|f| f.http.refusals.get(which));
        }
        CountersReply { counters }
    }

    fn connections(&self, request: &ConnectionsRequest) -> Result<ConnectionsReply, ApiError> {
        let mut reply = ConnectionsReply::default();
        for worker in self.0.workers() {
            reply.open += worker.figures().tcp_connections;
            let mut from = 0;
            loop {
                let (sender, answer) = bounded(1);
                if !worker.send(Command::Connections { from, max: CONNECTIONS_AT_ONCE, reply: sender }) {
                    break;
                }
                let rows = answer.recv_timeout(PATIENCE).map_err(|_| silent(worker))?;
                let Some(last) = rows.last() else { break };
                from = last.conn.index() as usize + 1;
                for row in rows.iter().filter_map(|row| connection(worker, row)) {
                    if !request.matches(row.state, row.local, row.remote) {
                        continue;
                    }
                    if reply.connections.len() >= request.limit as usize {
                        reply.truncated = true;
                        return Ok(reply);
                    }
                    reply.connections.push(row);
                }
            }
        }
        Ok(reply)
    }

    fn neighbors(&self) -> Result<NeighborsReply, ApiError> {
        let mut reply = NeighborsReply::default();
        for worker in self.0.workers() {
            let (sender, answer) = bounded(1);
            if !worker.send(Command::Neighbors { reply: sender }) {
                continue;
            }
            let rows = answer.recv_timeout(PATIENCE).map_err(|_| silent(worker))?;
            reply.neighbors.extend(rows.into_iter().map(|row| NeighborInfo {
                worker: worker.number() as u32,
                interface: worker.port().interface.clone(),
                address: row.address,
                mac: row.mac.map(Mac),
                state: format!("{:?}", row.state).to_lowercase(),
                age_milliseconds: None,
            }));
        }
        Ok(reply)
    }

    fn routes(&self) -> RoutesReply {
        let snapshot = self.0.snapshot();
        RoutesReply {
            generation: snapshot.generation,
            routes: snapshot.router.rules().iter().map(route_info).collect(),
        }
    }

    fn explain(&self, request: &ExplainRequest) -> Result<ExplainReply, ApiError> {
        let snapshot = self.0.snapshot();
        let asked = crate::cli::Asked::parse(&request.method, &request.url, request.host.as_deref())
            .map_err(|reason| ApiError::new(ErrorCode::InvalidArgument, reason))?;
        let explanation = snapshot.router.explain(asked.method, asked.host.as_deref(), &asked.path);
        let allowed = match explanation.found {
            Found::MethodNotAllowed { allow } | Found::Options { allow } => {
                allow.iter().map(|m| m.to_string()).collect()
            }
            Found::Rule(_) | Found::NotFound | Found::Refused(_) => Vec::new(),
        };
        let passed = explanation.passed_over.iter().map(|c| format!("passed over: {} ({})", c.rule.route, c.why));
        Ok(ExplainReply {
            method: request.method.clone(),
            host: asked.host.unwrap_or_default(),
            path: explanation.normal_path.clone().unwrap_or_else(|| explanation.path.clone()),
            matched: explanation.rule.as_ref().map(route_info),
            status: Some(snapshot.actions.status_of(&explanation.found).code()),
            allowed_methods: allowed,
            reasons: std::iter::once(explanation.why.clone()).chain(passed).collect(),
        })
    }

    fn reload(&self) -> Result<ReloadReply, Vec<String>> {
        let reloaded = self.0.reload()?;
        Ok(ReloadReply {
            generation: reloaded.generation,
            routes: reloaded.routes as u64,
            warnings: reloaded.warnings.iter().map(ToString::to_string).collect(),
        })
    }

    fn drain(&self, deadline: Duration) -> Result<DrainReply, ApiError> {
        let connections = self.figures().iter().map(|figures| figures.http_connections).sum();
        let left = self.0.drain(deadline);
        let deadline_milliseconds = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        Ok(DrainReply { connections, deadline_milliseconds })
    }

    fn capture(&self, request: &CaptureRequest) -> Result<Box<dyn CaptureSource>, ApiError> {
        let source = Source::start(self.0.captures(), request, self.0.epoch_unix_nanos());
        source.map(|source| Box::new(source) as _).map_err(|reason| ApiError::new(ErrorCode::Refused, reason))
    }
}

/// What an address to listen on means; `:80` stands for both families.
fn socket_addresses(listen: &ListenAddress) -> Vec<SocketAddr> {
    match listen.address {
        Some(address) => vec![SocketAddr::new(address, listen.port)],
        None => [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
            .map(|any| SocketAddr::new(any, listen.port))
            .to_vec(),
    }
}

fn requests(figures: &WorkerFigures) -> u64 {
    figures.http.events.get(crate::http::HttpCounter::Requests)
}

fn worker_status(worker: &WorkerHandle, figures: &WorkerFigures) -> WorkerStatus {
    WorkerStatus {
        worker: worker.number() as u32,
        cpu: worker.core().map(|core| core as u32),
        interface: worker.port().interface.clone(),
        queue: u32::from(worker.port().queue),
        connections: figures.http_connections,
        requests: requests(figures),
        pool_frames: figures.pool_frames,
        pool_free_frames: figures.pool_available,
        pool_low_water_frames: figures.pool_low_water,
        memory_bytes: figures.memory.total() as u64,
        memory_received_bytes: figures.memory.received as u64,
        memory_queued_bytes: figures.memory.queued as u64,
        memory_pressure: figures.memory.pressure,
        busy_turns: figures.busy_turns,
        turns: figures.turns,
        sleeps: figures.sleeps,
        packets_handed_over: figures.handover.get(HandoverCounter::HandedOver),
        packets_taken_over: figures.ip.get(IpCounter::RxHandedOver),
    }
}

/// The configured addresses, and those that were acquired.
fn addresses(configured: &[String], host: &HostState) -> Vec<String> {
    let mut all = configured.to_vec();
    let acquired = host.addresses.iter().filter(|own| matches!(own.origin, AddressOrigin::Slaac | AddressOrigin::Dhcp));
    all.extend(acquired.map(|own| own.cidr.to_string()));
    all
}

fn address_status(own: &AddressInfo, now: netstack::Instant) -> AddressStatus {
    let seconds = |until: Option<netstack::Instant>| until.map(|until| until.saturating_since(now).as_secs());
    AddressStatus {
        address: own.cidr.to_string(),
        origin: own.origin.name().to_owned(),
        state: own.state.name().to_owned(),
        preferred_seconds: seconds(own.preferred_until),
        valid_seconds: seconds(own.valid_until),
    }
}

fn router_status(router: &RouterInfo, now: netstack::Instant) -> RouterStatus {
    let state = match (router.reachable, router.used) {
        (false, _) => "silent",
        (true, true) => "used",
        (true, false) => "standby",
    };
    RouterStatus {
        address: router.address.to_string(),
        origin: format!("{:?}", router.origin).to_lowercase(),
        preference: router.preference.name().to_owned(),
        state: state.to_owned(),
        lifetime_seconds: router.until.map(|until| until.saturating_since(now).as_secs()),
    }
}

fn connection(worker: &WorkerHandle, row: &netstack::tcp::ConnInfo) -> Option<ConnectionInfo> {
    let state: TcpState = row.state.to_ascii_lowercase().parse().ok()?;
    Some(ConnectionInfo {
        worker: worker.number() as u32,
        local: row.local,
        remote: row.remote,
        state,
        receive_queue_bytes: u64::from(row.recv_queued),
        send_queue_bytes: u64::from(row.send_queued),
        rtt_microseconds: row.srtt.map(|srtt| srtt.as_micros() as u64),
        congestion: Some(row.congestion.to_owned()),
        congestion_window_bytes: Some(u64::from(row.cwnd)),
        retransmits: None,
        age_milliseconds: None,
        idle_milliseconds: None,
    })
}

fn route_info(rule: &Rule) -> RouteInfo {
    RouteInfo {
        methods: rule.route.methods.iter().map(|method| method.to_string()).collect(),
        hosts: rule.hosts.iter().map(ToString::to_string).collect(),
        pattern: rule.pattern.to_string(),
        action: rule.route.action.to_string(),
        file: rule.at.file.to_string(),
        line: rule.at.line,
        column: rule.at.column,
    }
}
