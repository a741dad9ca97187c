//! Configuration of AnyGate: one model, written as YAML, JSON or TOML, with errors that name file, line and column.
#![forbid(unsafe_code)]

mod decode;
mod diagnostic;
mod model;
mod node;
mod ports;
mod schema;
mod source;
mod suggest;
mod text;
mod units;

pub use diagnostic::{Diagnostic, Diagnostics, Related, Severity};
pub use model::{Config, Control, Cores, FileMode, Limits, Polling, ServerConfig, SocketPath, TcpSettings, Timeouts, Workers};
pub use ports::{AfXdpConfig, InterfaceName, Mtu, PortConfig, Queues, Switch, TapConfig, XdpMode};
pub use schema::schema;
pub use text::{Position, RouteGroup, RouteText, Text};
pub use units::{Cidr, ListenAddress, MacAddress, Size};
