//! The one declaration of every command.

use crate::text::parse_duration;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use mgmt_api::capture::DEFAULT_SNAPLEN_BYTES;
use mgmt_api::{CaptureFilter, DEFAULT_CONNECTION_LIMIT, Direction, MAX_CONNECTION_LIMIT, Prefix, TcpState};
use std::path::PathBuf;
use std::time::Duration;

/// Look into a running anygate, and steer it.
#[derive(Parser, Debug)]
#[command(
    name = "mgmt",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 anygate cannot be reached."
)]
pub struct Cli {
    /// Control socket of the anygate to talk to [default: $ANYGATE_SOCKET, else /run/anygate/control.sock]
    #[arg(long, global = true, display_order = 900, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,

    /// Print the reply as JSON
    #[arg(long, global = true, display_order = 901)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Is it well: state, configuration, workers
    #[command(after_help = "Examples:\n  mgmt status\n  mgmt status --watch\n  mgmt status --json | jq .connections")]
    Status(Watch),

    /// The ports and their queues
    #[command(after_help = "Examples:\n  mgmt ports\n  mgmt ports --watch 0.5")]
    Ports(Watch),

    /// Everything that is counted
    #[command(after_help = "Examples:\n  mgmt counters\n  mgmt counters --all --workers")]
    Counters(CountersArgs),

    /// Every named reason for which something was dropped, refused or reset
    #[command(after_help = "Examples:\n  mgmt drops\n  mgmt drops --nonzero --watch")]
    Drops(DropsArgs),

    /// Open TCP connections
    #[command(
        after_help = "Examples:\n  mgmt conns --state established --limit 20\n  mgmt conns --remote 192.0.2.0/24 --port 80"
    )]
    Conns(ConnsArgs),

    /// Neighbours on the link (ARP and NDP), as each worker knows them
    #[command(after_help = "Example:\n  mgmt neigh")]
    Neigh,

    /// The routes in force, in the order of the configuration
    #[command(after_help = "Example:\n  mgmt routes --json | jq -r '.routes[].pattern'")]
    Routes,

    /// Which route answers a request, and why; nothing is sent
    #[command(after_help = "Examples:\n  mgmt explain GET /a/b\n  mgmt explain POST http://example.com/api?x=1")]
    Explain(ExplainArgs),

    /// Read the configuration again; a file with a mistake changes nothing
    #[command(after_help = "Example:\n  mgmt reload && mgmt routes")]
    Reload,

    /// Stop accepting, finish what is open, exit
    #[command(after_help = "Example:\n  mgmt drain --deadline 30s")]
    Drain(DrainArgs),

    /// Frames as they are on the wire, as pcapng
    #[command(
        after_help = "Examples:\n  mgmt capture -w - | tcpdump -n -r -\n  mgmt capture -w - | wireshark -k -i -\n  \
        mgmt capture -w file.pcapng -f 'tcp port 80 and host 192.0.2.7' -c 1000 --seconds 60\n\n\
        Filters are terms joined by \"and\", each with an optional \"not\":\n  \
        arp, ip, ip6, icmp, icmp6, tcp, udp, [src|dst] host ADDRESS, [src|dst] net PREFIX, [src|dst] port NUMBER\n\n\
        Ctrl-C ends it in order. What a slow reader misses is counted and said at the end; traffic never waits for it."
    )]
    Capture(CaptureArgs),

    /// Print a completion script
    #[command(after_help = "Example:\n  mgmt completions bash > /etc/bash_completion.d/mgmt")]
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page, of one command when it is named
    #[command(after_help = "Example:\n  mgmt man capture | man -l -")]
    Man {
        /// The command
        command: Option<String>,
    },
}

/// Printing again and again.
#[derive(Args, Debug, Default)]
pub struct Watch {
    /// Print again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = parse_interval)]
    pub watch: Option<Duration>,
}

/// Arguments of `counters`.
#[derive(Args, Debug)]
pub struct CountersArgs {
    /// Also counters at zero
    #[arg(long)]
    pub all: bool,
    /// One column a worker
    #[arg(long)]
    pub workers: bool,
    /// When to print.
    #[command(flatten)]
    pub watch: Watch,
}

/// Arguments of `drops`.
#[derive(Args, Debug)]
pub struct DropsArgs {
    /// Also reasons that never happened (the default)
    #[arg(long, conflicts_with = "nonzero")]
    pub all: bool,
    /// Only reasons that happened
    #[arg(long)]
    pub nonzero: bool,
    /// One column a worker
    #[arg(long)]
    pub workers: bool,
    /// When to print.
    #[command(flatten)]
    pub watch: Watch,
}

/// Arguments of `conns`.
#[derive(Args, Debug)]
pub struct ConnsArgs {
    /// Only connections in this state
    #[arg(long, value_parser = state_parser())]
    pub state: Option<TcpState>,
    /// Only connections to this port of ours
    #[arg(long, value_name = "NUMBER")]
    pub port: Option<u16>,
    /// Only connections with peers in this prefix
    #[arg(long, value_name = "PREFIX")]
    pub remote: Option<Prefix>,
    /// At most so many rows
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_CONNECTION_LIMIT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CONNECTION_LIMIT)))]
    pub limit: u32,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The method, such as GET
    pub method: String,
    /// A path or a URL
    pub url: String,
    /// The Host header [default: the host of the URL]
    #[arg(long)]
    pub host: Option<String>,
}

/// Arguments of `drain`.
#[derive(Args, Debug)]
pub struct DrainArgs {
    /// Connections still open after this time are aborted
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub deadline: Duration,
}

/// Arguments of `capture`.
#[derive(Args, Debug)]
pub struct CaptureArgs {
    /// Write to this file; - is standard output, and the default where that is no terminal
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub write: Option<PathBuf>,
    /// Only frames of this port's interface
    #[arg(short, long, value_name = "NAME")]
    pub interface: Option<String>,
    /// Only frames of this worker
    #[arg(long, value_name = "NUMBER")]
    pub worker: Option<u32>,
    /// Only frames that fit this filter
    #[arg(short, long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: CaptureFilter,
    /// Which way the frames go
    #[arg(long, value_enum, default_value_t = Way::Both)]
    pub direction: Way,
    /// End after so many frames
    #[arg(short, long, value_name = "NUMBER")]
    pub count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "NUMBER", value_parser = parse_duration)]
    pub seconds: Option<Duration>,
    /// End before the stream is longer than so many bytes
    #[arg(long, value_name = "NUMBER")]
    pub bytes: Option<u64>,
    /// Keep so many bytes of each frame
    #[arg(short, long, value_name = "BYTES", default_value_t = DEFAULT_SNAPLEN_BYTES,
        value_parser = clap::value_parser!(u32).range(14..=i64::from(DEFAULT_SNAPLEN_BYTES)))]
    pub snaplen: u32,
}

/// Which way the frames go.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Received and sent
    Both,
    /// Received
    In,
    /// Sent
    Out,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Direction {
        match way {
            Way::Both => Direction::Both,
            Way::In => Direction::Receive,
            Way::Out => Direction::Transmit,
        }
    }
}

fn state_parser() -> impl clap::builder::TypedValueParser<Value = TcpState> {
    use clap::builder::TypedValueParser as _;
    PossibleValuesParser::new(TcpState::ALL.iter().map(|state| state.name())).try_map(|name| name.parse::<TcpState>())
}

/// The shortest interval keeps a watching terminal from becoming the load.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(100) {
        return Err("the interval must be at least 0.1 seconds".to_owned());
    }
    Ok(interval)
}
