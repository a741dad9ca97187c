//! A daemon with fixed answers, and the program under test.

use mgmt_api::frame::{LineReader, REQUEST_LIMIT_BYTES, write_line};
use mgmt_api::*;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the daemon answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Everything as asked.
    Well,
    /// Every list is empty.
    Empty,
    /// Whatever can be refused is refused.
    Refusing,
    /// Speaks another protocol version.
    Foreign,
    /// Closes instead of answering.
    Broken,
}

/// A listening daemon; its directory is removed at the end.
pub struct Daemon {
    directory: PathBuf,
}

impl Daemon {
    pub fn start(mood: Mood) -> Daemon {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mgmt-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let daemon = Daemon { directory };
        let listener = UnixListener::bind(daemon.socket()).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, mood));
            }
        });
        daemon
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The program, told to talk to this daemon.
    pub fn mgmt(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env("ANYGATE_SOCKET", self.socket()).args(arguments);
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The program in a known environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mgmt"));
    command.env_remove("ANYGATE_SOCKET").env_remove("COLUMNS");
    command
}

fn serve(stream: UnixStream, mood: Mood) {
    let mut lines = LineReader::new(stream.try_clone().unwrap(), REQUEST_LIMIT_BYTES);
    let mut out = stream;
    let Ok(_) = lines.read_line() else { return };
    let hello = match mood {
        Mood::Broken => return,
        Mood::Foreign => r#"{"hello":{"protocol":7,"product":"8.0.0"}}"#.to_owned(),
        _ => Hello::ours().encode(),
    };
    if write_line(&mut out, &hello).is_err() {
        return;
    }
    while let Ok(line) = lines.read_line() {
        let request = Request::decode(&line);
        let is_capture = matches!(&request, Ok(Request::Capture(_)));
        let answer = request.and_then(|request| answer(request, mood));
        let is_ok = answer.is_ok();
        if write_line(&mut out, &encode_answer(answer).unwrap()).is_err() {
            return;
        }
        if is_capture && is_ok {
            let _ = out.write_all(&crate::capture::stream_of_a_capture());
            // Until the reader closes, or wants no more.
            let _ = lines.read_line();
            let _ = out.write_all(&mgmt_api::capture::pcapng::statistics(0, [0; 8], 5, 2));
            return;
        }
    }
}

fn answer(request: Request, mood: Mood) -> Result<Reply, ApiError> {
    match mood {
        Mood::Refusing => refuse(&request),
        Mood::Empty => empty(&request),
        _ => well(request),
    }
}

fn refuse(request: &Request) -> Result<Reply, ApiError> {
    Err(match request {
        Request::Reload(_) => {
            ApiError::new(ErrorCode::Refused, "the new configuration was not accepted; the old one stays in force")
                .with_details(vec![
                    "error: unknown method `GTE`\n --> demo.yaml:7:5\n  |\n7 |   - GTE /a: fixed 200\n  |     ^^^ did you mean `GET`?\n"
                        .into(),
                ])
        }
        _ => ApiError::new(ErrorCode::Busy, "32 sessions are open already")
            .with_hint("close one of the running `mgmt` commands"),
    })
}

fn empty(request: &Request) -> Result<Reply, ApiError> {
    Ok(match request {
        Request::Status(_) => Reply::Status(StatusReply::default()),
        Request::Ports(_) => Reply::Ports(PortsReply::default()),
        Request::Counters(_) => Reply::Counters(CountersReply::default()),
        Request::Drops(_) => Reply::Drops(DropsReply::default()),
        Request::Connections(_) => Reply::Connections(ConnectionsReply::default()),
        Request::Neighbors(_) => Reply::Neighbors(NeighborsReply::default()),
        Request::Routes(_) => Reply::Routes(RoutesReply::default()),
        Request::Explain(_) => Reply::Explain(ExplainReply {
            method: "DELETE".into(),
            path: "/nothing".into(),
            status: Some(405),
            allowed_methods: vec!["GET".into(), "POST".into()],
            reasons: vec!["no route for DELETE".into()],
            ..ExplainReply::default()
        }),
        _ => return refuse(request),
    })
}

fn well(request: Request) -> Result<Reply, ApiError> {
    Ok(match request {
        Request::Status(_) => Reply::Status(status()),
        Request::Ports(_) => Reply::Ports(ports()),
        Request::Counters(_) => Reply::Counters(CountersReply { counters: counters() }),
        Request::Drops(_) => Reply::Drops(CountersReply { counters: counters() }.into_drops()),
        Request::Connections(request) => Reply::Connections(connections(&request)),
        Request::Neighbors(_) => Reply::Neighbors(neighbors()),
        Request::Routes(_) => Reply::Routes(routes()),
        Request::Explain(request) => Reply::Explain(explain(request)),
        Request::Reload(_) => Reply::Reload(ReloadReply {
            generation: 4,
            routes: 6,
            warnings: vec!["`workers` changed; it takes effect with the next start".into()],
        }),
        Request::Drain(request) => {
            Reply::Drain(DrainReply { connections: 1_024, deadline_milliseconds: request.deadline_milliseconds })
        }
        Request::Capture(request) => {
            Reply::Capture(CaptureReply { interfaces: vec!["veth0".into()], snaplen_bytes: request.snaplen_bytes })
        }
    })
}

fn status() -> StatusReply {
    let worker = |worker: u32, busy_turns| WorkerStatus {
        worker,
        cpu: (worker == 0).then_some(0),
        interface: "veth0".into(),
        queue: worker,
        connections: 512,
        requests: 6_172_839 + u64::from(worker),
        pool_frames: 8_192,
        pool_free_frames: 6_000,
        pool_low_water_frames: 128,
        memory_bytes: 1_900_544,
        memory_received_bytes: 524_288,
        memory_queued_bytes: 1_048_576,
        memory_pressure: false,
        busy_turns,
        turns: busy_turns * 4,
        sleeps: 3,
        packets_handed_over: 0,
        packets_taken_over: 0,
    };
    StatusReply {
        product: "anygate 0.1.0".into(),
        pid: 4242,
        state: ServiceState::Serving,
        uptime_seconds: 93_784,
        configuration: ConfigurationStatus {
            file: "/etc/anygate/anygate.yaml".into(),
            generation: 3,
            routes: 6,
            last_error: Some("anygate.yaml:7:5: unknown method `GTE`".into()),
        },
        listeners: vec!["0.0.0.0:80".parse().unwrap(), "[::]:80".parse().unwrap()],
        connections: 1_024,
        requests: 12_345_679,
        workers: vec![worker(0, 1_000_000), worker(1, 0)],
        warnings: vec!["zero-copy is not accepted by veth; copying".into()],
    }
}

fn ports() -> PortsReply {
    let queue = |queue: u32| QueueStatus {
        queue,
        worker: queue,
        rx_frames: 1_000_000 * u64::from(queue + 1),
        rx_bytes: 98_765_432,
        tx_frames: 999_999,
        tx_bytes: 123_456_789,
        dropped_frames: u64::from(queue) * 17,
    };
    let veth = PortStatus {
        kind: "af_xdp".into(),
        interface: "veth0".into(),
        mode: "native".into(),
        zero_copy: false,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mtu_bytes: 1_500,
        link_up: true,
        addresses: vec!["10.0.0.1/24".into(), "fd00::1/64".into()],
        queues: vec![queue(0), queue(1)],
        ..PortStatus::default()
    };
    let tap = PortStatus {
        kind: "tap".into(),
        interface: "tap0".into(),
        mode: String::new(),
        link_up: false,
        queues: vec![queue(0)],
        address_states: vec![
            AddressStatus {
                address: "10.0.0.1/24".into(),
                origin: "dhcp".into(),
                state: "preferred".into(),
                preferred_seconds: None,
                valid_seconds: Some(3_600),
            },
            AddressStatus {
                address: "fd00::1/64".into(),
                origin: "slaac".into(),
                state: "deprecated".into(),
                preferred_seconds: Some(0),
                valid_seconds: Some(7_200),
            },
        ],
        routers: vec![RouterStatus {
            address: "fe80::1".into(),
            origin: "advertised".into(),
            preference: "high".into(),
            state: "used".into(),
            lifetime_seconds: Some(1_800),
        }],
        dhcp: "BOUND".into(),
        ..veth.clone()
    };
    PortsReply { ports: vec![veth, tap] }
}

fn counters() -> Vec<CounterRow> {
    let row = |layer, name, help, values: [u64; 2]| CounterRow::new(layer, name, help, values.to_vec());
    vec![
        row("port", "rx_frames", "Frames received.", [1_000_000, 2_000_000]),
        row("ip", "drop_ipv4_checksum", "The header checksum of an IPv4 packet is wrong.", [0, 0]),
        row("tcp", "rx_segments", "Segments received.", [900_000, 1_900_000]),
        row("tcp", "drop_out_of_window", "A segment lies outside the receive window (RFC 9293 §3.10.7.4).", [7, 0]),
        row("tcp", "reset_no_listener", "A SYN to a port nobody listens on was answered with RST.", [12, 1_234]),
        row("http", "refuse_header_too_large", "A request head was longer than its limit: 431.", [0, 0]),
    ]
}

fn connections(request: &ConnectionsRequest) -> ConnectionsReply {
    let row = |worker: u32, local: &str, remote: &str, state| ConnectionInfo {
        worker,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
        state,
        receive_queue_bytes: 0,
        send_queue_bytes: 14_600,
        rtt_microseconds: Some(1_234),
        congestion: Some("cubic".to_owned()),
        congestion_window_bytes: Some(146_000),
        retransmits: Some(2),
        age_milliseconds: Some(65_000),
        idle_milliseconds: Some(250),
    };
    let rows = [
        row(0, "10.0.0.1:80", "10.0.0.2:40000", TcpState::Established),
        row(1, "[fd00::1]:80", "[fd00::2]:40001", TcpState::FinWait1),
        ConnectionInfo {
            rtt_microseconds: None,
            congestion: None,
            congestion_window_bytes: None,
            retransmits: None,
            age_milliseconds: None,
            idle_milliseconds: None,
            ..row(1, "10.0.0.1:80", "10.0.0.3:40002", TcpState::SynReceived)
        },
    ];
    let fitting: Vec<ConnectionInfo> =
        rows.into_iter().filter(|row| request.matches(row.state, row.local, row.remote)).collect();
    let limit = request.limit as usize;
    ConnectionsReply {
        open: 1_024,
        truncated: fitting.len() > limit,
        connections: fitting.into_iter().take(limit).collect(),
    }
}

fn neighbors() -> NeighborsReply {
    let known = NeighborInfo {
        worker: 0,
        interface: "veth0".into(),
        address: "10.0.0.2".parse().unwrap(),
        mac: Some(Mac([2, 0, 0, 0, 0, 2])),
        state: "reachable".into(),
        age_milliseconds: Some(12_000),
    };
    let asked = NeighborInfo {
        address: "fd00::99".parse().unwrap(),
        mac: None,
        state: "incomplete".into(),
        age_milliseconds: None,
        ..known.clone()
    };
    NeighborsReply { neighbors: vec![known, asked] }
}

fn route(methods: &[&str], pattern: &str, action: &str, line: u32) -> RouteInfo {
    RouteInfo {
        methods: methods.iter().map(ToString::to_string).collect(),
        hosts: Vec::new(),
        pattern: pattern.into(),
        action: action.into(),
        file: "demo.yaml".into(),
        line,
        column: 5,
    }
}

fn routes() -> RoutesReply {
    let hosts = vec!["example.com".into(), "*.example.org".into()];
    RoutesReply {
        generation: 3,
        routes: vec![
            route(&["GET"], "/fastest/ever/ok", "fixed 200", 6),
            route(&["GET", "POST", "PATCH"], "/api/mock/rude", "fixed 403 '{\"msg\":\"GO PATCH UR MUM!\"}'", 7),
            RouteInfo { hosts, ..route(&[], "/a/b/*", "echo", 12) },
        ],
    }
}

fn explain(request: ExplainRequest) -> ExplainReply {
    ExplainReply {
        method: request.method,
        host: request.host.unwrap_or_default(),
        path: request.url,
        matched: Some(route(&["GET"], "/a/{rest}", "echo", 9)),
        status: Some(200),
        allowed_methods: Vec::new(),
        reasons: vec!["`/a/b` on line 8 is only for POST".into(), "`/a/{rest}` is the most specific for GET".into()],
    }
}
