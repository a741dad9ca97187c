//! The model: every section and key that a configuration file can have, each declared once. The decoder, the JSON
//! Schema (`docs/schema/anygate.schema.json`) and the reference table of `docs/CONFIG.md` come from these declarations.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::address::ListenAddress;
use crate::declare::{keywords, section};
use crate::decode::{Key, Positions, Scalar};
use crate::diagnostic::{Diagnostic, Severity};
use crate::listener::Listener;
use crate::node::Kind;
use crate::ports::PortConfig;
use crate::text::{Position, RouteGroup};
use crate::units::Size;

/// A whole configuration. What a file leaves out has its default.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// What to listen on, and how.
    pub server: ServerConfig,
    /// Where packets come from.
    pub ports: Vec<PortConfig>,
    /// Routes of certain hosts or below a prefix, in order of declaration.
    pub groups: Vec<RouteGroup>,
    /// The top-level routes: the group of any host without a prefix.
    pub routes: RouteGroup,
    pub(crate) positions: Positions,
}

impl Config {
    /// Every group of routes; the top-level one first.
    pub fn route_groups(&self) -> impl Iterator<Item = &RouteGroup> {
        std::iter::once(&self.routes).chain(&self.groups)
    }

    /// Where the value with this dotted path (`ports.0.interface`) was written; `None` when the default holds.
    pub fn position(&self, path: &str) -> Option<&Position> {
        self.positions.keys.get(path).map(|mark| &mark.at)
    }

    /// An error about the value with this dotted path, or about the nearest section above it that was written.
    pub fn error_at(&self, path: &str, reason: impl Into<String>) -> Diagnostic {
        self.diagnostic_at(Severity::Error, path, reason)
    }

    /// A warning about the value with this dotted path, or about the nearest section above it that was written.
    pub fn warning_at(&self, path: &str, reason: impl Into<String>) -> Diagnostic {
        self.diagnostic_at(Severity::Warning, path, reason)
    }

    fn diagnostic_at(&self, severity: Severity, path: &str, reason: impl Into<String>) -> Diagnostic {
        let mut path = path;
        loop {
            if let Some(mark) = self.positions.keys.get(path) {
                return Diagnostic::new(severity, mark.at.clone(), mark.source_line.clone(), reason)
                    .length(mark.length);
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => {
                    return Diagnostic { severity, ..Diagnostic::about_file(self.positions.file.clone(), reason) };
                }
            }
        }
    }
}

section! {
    /// What to listen on, with which threads, and within which limits.
    pub struct ServerConfig {
        /// Addresses and TCP ports to accept connections on. `:80` stands for every address, IPv4 and IPv6. An entry can be a section with `address` and `congestion`.
        pub listen: Vec<Listener> = vec![ListenAddress { address: None, port: 80 }.into()];
        /// Worker threads, one for each queue of each port. A number must be that of the queues.
        pub workers: Workers = Workers::Auto;
        /// CPUs to pin the workers to, in order and over again when there are fewer, such as `0-3,8`. Empty: the CPUs that the process may run on.
        pub cores: Cores = Cores::default();
        /// Value of the `Server` header of answers.
        pub server_header: Option<String> = Some("anygate".to_owned());
        /// Whether a worker without work sleeps.
        pub polling: Polling = Polling::Adaptive;
        /// How long a worker without work spins before it sleeps, under adaptive polling.
        pub spin: Duration = Duration::from_micros(50), 0..=1_000_000;
        /// What a client may ask for at most.
        pub limits: Limits = Limits::default();
        /// How long a client may take.
        pub timeouts: Timeouts = Timeouts::default();
        /// The TCP stack.
        pub tcp: TcpSettings = TcpSettings::default();
        /// The local socket of the `mgmt` command.
        pub control: Control = Control::default();
    }
}

section! {
    /// What a client may ask for at most. Limits are enforced before memory is taken.
    pub struct Limits {
        /// Request line of HTTP/1: method, target and version.
        pub request_line: Size = Size::kib(8), 64..=65_536;
        /// All header fields of a request together.
        pub header_bytes: Size = Size::kib(32), 256..=1_048_576;
        /// Header fields of a request.
        pub header_count: u16 = 100, 1..=128;
        /// Trailer fields after a chunked body, together.
        pub trailer_bytes: Size = Size::kib(8), 0..=1_048_576;
        /// Extensions of the chunks of a body, together.
        pub chunk_extensions: Size = Size::kib(4), 0..=1_048_576;
        /// Body of a request, after chunks are put together.
        pub body: Size = Size::mib(1), 0..=1_099_511_627_776;
        /// How much of the body an echo answer repeats.
        pub echo_body: Size = Size::kib(64), 0..=16_777_216;
        /// Slowest average rate of a request body, in bytes a second, once it took longer than `timeouts.body`. 0: any.
        pub body_rate: Size = Size(250), 0..=1_073_741_824;
        /// How much of a body that nobody reads is taken and thrown away after the answer, to keep the connection.
        pub discard_body: Size = Size::kib(256), 0..=1_073_741_824;
        /// Requests after which a connection is closed. 0: any number.
        pub requests_per_connection: u32 = 0;
        /// Connections at once, of each worker.
        pub max_connections: u32 = 1_048_576, 1..=16_777_216;
        /// Connections whose handshake is not complete, of each worker.
        pub half_open: u32 = 65_536, 1..=1_048_576;
        /// Bytes that one connection may have queued at first, unsent or unacknowledged.
        pub send_buffer: Size = Size::kib(256), 4096..=1_073_741_824;
        /// What `send_buffer` grows to, with what the path carries. No more than `send_buffer`: it does not grow.
        pub send_buffer_max: Size = Size::mib(32), 4096..=1_073_741_824;
        /// Bytes received on one connection that may wait to be read at first: its window.
        pub receive_buffer: Size = Size::kib(128), 4096..=1_073_725_440;
        /// What `receive_buffer` grows to while requests are read as fast as they come. No more than `receive_buffer`: it does not grow.
        pub receive_buffer_max: Size = Size::mib(32), 4096..=1_073_725_440;
        /// What all connections of one worker may hold: received and queued data with what it occupies, and control blocks (`docs/TCP_MEMORY.md`).
        pub memory: Size = Size::mib(1024), 16_777_216..=1_099_511_627_776;
        /// What is done when that is used up and a connection cannot go on.
        pub on_memory_exhausted: OnMemoryExhausted = OnMemoryExhausted::ResetLargest;
    }
}

section! {
    /// How long a client may take.
    pub struct Timeouts {
        /// From the first byte of a request to the end of its header fields.
        pub header: Duration = Duration::from_secs(10), 1000..=3_600_000_000;
        /// Between two pieces of a request body.
        pub body: Duration = Duration::from_secs(30), 1000..=3_600_000_000;
        /// Between two requests of a connection.
        pub idle: Duration = Duration::from_secs(60), 1000..=86_400_000_000;
        /// Without any progress of an answer.
        pub write: Duration = Duration::from_secs(30), 1000..=3_600_000_000;
        /// For requests in progress when the process is told to end.
        pub drain: Duration = Duration::from_secs(30), 0..=86_400_000_000;
    }
}

section! {
    /// The TCP stack.
    pub struct TcpSettings {
        /// Connections that wait to be accepted, for each address listened on and each worker.
        pub backlog: u32 = 4096, 1..=1_048_576;
        /// Silence after which a peer is probed (RFC 9293 §3.8.4).
        pub keep_alive: Option<Duration> = None, 1_000_000..=86_400_000_000;
        /// Time between two probes.
        pub keep_alive_interval: Duration = Duration::from_secs(75), 1_000_000..=3_600_000_000;
        /// Probes without an answer after which the connection is given up.
        pub keep_alive_probes: u8 = 9, 1..=100;
        /// Stay in TIME-WAIT (RFC 9293 §3.4.2).
        pub time_wait: Duration = Duration::from_secs(60), 0..=240_000_000;
        /// Connections in TIME-WAIT, of each worker; more are forgotten at once.
        pub max_time_wait: u32 = 262_144, 0..=16_777_216;
        /// Silence of a peer that was told that the connection ends, before it is forgotten.
        pub fin_wait: Duration = Duration::from_secs(60), 1_000_000..=3_600_000_000;
        /// Shortest retransmission timeout.
        pub rto_min: Duration = Duration::from_millis(200), 10_000..=1_000_000;
        /// Longest retransmission timeout (RFC 6298 §2.5: at least 60 s).
        pub rto_max: Duration = Duration::from_secs(60), 1_000_000..=240_000_000;
        /// Retransmissions of data before the connection is given up.
        pub data_retries: u8 = 15, 1..=30;
        /// Retransmissions of the answer to a SYN.
        pub syn_ack_retries: u8 = 5, 0..=15;
        /// When SYNs are answered without being remembered (RFC 4987).
        pub syn_cookies: SynCookies = SynCookies::WhenFull;
        /// Connections at most that began with data in their SYN (RFC 7413) and whose handshake is not complete, for each
        /// address listened on and each worker. Such a request may arrive twice. 0: data in a SYN is ignored.
        pub fast_open: u32 = 0, 0..=65_536;
        /// Explicit congestion notification (RFC 3168).
        pub ecn: EcnMode = EcnMode::Passive;
        /// Congestion controller of connections whose listener and routes name none.
        pub congestion: Congestion = Congestion::Cubic;
        /// Longest delay of an acknowledgment.
        pub delayed_ack: Duration = Duration::from_millis(40), 0..=500_000;
    }
}

section! {
    /// The local socket of the `mgmt` command.
    pub struct Control {
        /// Path of the socket.
        pub socket: SocketPath = SocketPath(PathBuf::from("/run/anygate/control.sock"));
        /// Permissions of the socket, octal.
        pub mode: FileMode = FileMode(0o660);
        /// Group that owns the socket. `off`: the group of the process.
        pub group: Option<String> = None;
    }
}

keywords! {
    /// What a worker without work does.
    pub enum Polling {
        /// Spins for a while, then sleeps until a packet or a timer wakes it.
        #[default]
        Adaptive = "adaptive",
        /// Spins for ever: the shortest latency, and a CPU that is always busy.
        Always = "always",
    }
}

keywords! {
    /// When SYNs are answered without being remembered.
    pub enum SynCookies {
        /// Never: what exceeds `backlog` or `limits.half_open` is dropped.
        Off = "off" | "false",
        /// While `backlog` or `limits.half_open` is reached.
        #[default]
        WhenFull = "when-full",
        /// Always.
        Always = "always",
    }
}

keywords! {
    /// Explicit congestion notification.
    pub enum EcnMode {
        /// Neither asked for nor accepted.
        Off = "off" | "false",
        /// Accepted when a client asks for it.
        #[default]
        Passive = "passive",
        /// Asked for by own connections, too.
        Active = "active",
    }
}

keywords! {
    /// How much a connection may have in flight, and how fast that leaves.
    pub enum Congestion {
        /// RFC 5681 and RFC 6582.
        NewReno = "newreno",
        /// RFC 9438, with HyStart++ (RFC 9406).
        #[default]
        Cubic = "cubic",
        /// BBR version 3 (draft-ietf-ccwg-bbr).
        Bbr = "bbr",
    }
}

keywords! {
    /// Which connections are reset when memory is full and a stream stands still for it.
    pub enum OnMemoryExhausted {
        /// Those that hold most; first those that are closed already, and those that moved nothing for a second.
        #[default]
        ResetLargest = "reset-largest",
        /// Those that moved nothing for longest; first those that are closed already.
        ResetOldest = "reset-oldest",
        /// None: what is new is refused until others let go.
        Refuse = "refuse",
    }
}

/// How many worker threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Workers {
    /// As many as the ports have queues.
    #[default]
    Auto,
    /// This many.
    Count(u16),
}

impl Scalar for Workers {
    const EXPECTED: &'static str = "`auto` or a number from 1 to 1024";

    fn parse(text: &str) -> Result<Workers, Option<String>> {
        if text == "auto" {
            return Ok(Workers::Auto);
        }
        text.parse().ok().filter(|count| (1..=1024).contains(count)).map(Workers::Count).ok_or(None)
    }

    fn scalar_schema() -> Json {
        json!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 1024 }] })
    }

    fn scalar_show(&self) -> Json {
        match self {
            Workers::Auto => "auto".into(),
            Workers::Count(count) => (*count).into(),
        }
    }

    fn scalar_name() -> String {
        "`auto` or number".to_owned()
    }
}

/// CPUs by number, in the order in which workers take them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cores(pub Vec<u16>);

impl Cores {
    /// Highest number of a CPU.
    const MAX: u16 = 4095;

    /// Reads `0-3,8`.
    fn parse(text: &str) -> Option<Vec<u16>> {
        let mut cores = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if last > Self::MAX || first > last || cores.len() > usize::from(Self::MAX) {
                return None;
            }
            cores.extend(first..=last);
        }
        Some(cores)
    }
}

impl Key for Cores {
    fn decode(node: &crate::node::Node, cx: &mut crate::decode::Context) -> Option<Cores> {
        let mut cores = Vec::new();
        for word in Vec::<String>::decode(node, cx)? {
            let Some(some) = Cores::parse(&word) else {
                let wrong = node.error(format!("{} has {word:?}, which names no CPUs", cx.name()));
                cx.found.push(wrong.help("list them by number: `0-3,8`"));
                return None;
            };
            cores.extend(some);
            if cores.len() > usize::from(Cores::MAX) + 1 {
                cx.error(node, format!("{} names more CPUs than there can be", cx.name()));
                return None;
            }
        }
        let mut sorted = cores.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            cx.error(node, format!("{} has CPU {} twice", cx.name(), twice[0]));
            return None;
        }
        Some(Cores(cores))
    }

    fn schema() -> Json {
        let one = json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": Cores::MAX }, { "type": "string", "pattern": "^ *[0-9]+( *- *[0-9]+)?( *, *[0-9]+( *- *[0-9]+)?)* *$" }] });
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }

    fn type_name() -> String {
        "list of CPUs".to_owned()
    }

    fn show(&self) -> Json {
        self.0.iter().copied().collect()
    }
}

/// Path of a Unix socket.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SocketPath(pub PathBuf);

impl Scalar for SocketPath {
    const EXPECTED: &'static str = "an absolute path of at most 107 bytes";

    fn parse(text: &str) -> Result<SocketPath, Option<String>> {
        // unix(7): sun_path has 108 bytes with its terminating null.
        let fits = text.starts_with('/') && text.len() <= 107 && !text.contains('\0');
        if fits { Ok(SocketPath(PathBuf::from(text))) } else { Err(None) }
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^/", "maxLength": 107 })
    }

    fn scalar_show(&self) -> Json {
        self.0.to_string_lossy().into()
    }

    fn scalar_name() -> String {
        "path".to_owned()
    }
}

/// Permission bits of a file, written in octal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileMode(pub u32);

impl Scalar for FileMode {
    const EXPECTED: &'static str = "permissions in octal such as `\"0660\"`";

    fn parse(text: &str) -> Result<FileMode, Option<String>> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        u32::from_str_radix(digits, 8).ok().filter(|&mode| mode <= 0o777 && digits.len() >= 3).map(FileMode).ok_or(None)
    }

    fn accepts(kind: Kind) -> bool {
        // A number of JSON or TOML is decimal: 660 would not be what it looks like.
        matches!(kind, Kind::Plain | Kind::Quoted)
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^(0o?)?[0-7]{3}$" })
    }

    fn scalar_show(&self) -> Json {
        format!("{:04o}", self.0).into()
    }

    fn scalar_name() -> String {
        "octal permissions".to_owned()
    }
}
