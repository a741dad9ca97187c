//! Each command: arguments to request, reply to table or JSON.

mod capture;
mod connections;
mod counters;
mod generate;
mod lifecycle;
mod neighbors;
mod ports;
mod routes;
mod status;

use crate::cli::{Cli, Command, Watch};
use crate::exit::Failure;
use mgmt_api::{Client, NeighborsRequest, PortsRequest, ReloadRequest, RoutesRequest, StatusRequest, socket};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Does what the arguments say.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let session = Session { path: socket::path(cli.socket.as_deref()), json: cli.json };
    match cli.command {
        Command::Status(watch) => session.watch(&watch, &StatusRequest {}, status::table),
        Command::Ports(watch) => session.watch(&watch, &PortsRequest {}, ports::table),
        Command::Counters(args) => counters::counters(&session, &args),
        Command::Drops(args) => counters::drops(&session, &args),
        Command::Conns(args) => connections::run(&session, &args),
        Command::Neigh => session.once(&NeighborsRequest {}, neighbors::table),
        Command::Routes => session.once(&RoutesRequest {}, routes::table),
        Command::Explain(args) => routes::explain(&session, args),
        Command::Reload => session.once(&ReloadRequest {}, lifecycle::reloaded),
        Command::Drain(args) => lifecycle::drain(&session, &args),
        Command::Capture(args) => capture::run(&session, &args),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { command } => generate::man(command.as_deref()),
    }
}

/// Where to ask, and how to print.
struct Session {
    path: PathBuf,
    json: bool,
}

impl Session {
    fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.path)?)
    }

    /// Asks once and prints.
    fn once<C: mgmt_api::Command>(
        &self,
        request: &C,
        table: impl Fn(&C::Reply, Option<usize>) -> String,
    ) -> Result<(), Failure> {
        self.watch(&Watch::default(), request, table)
    }

    /// Asks and prints, again and again when that was asked for. On a terminal each print replaces the last one.
    #[allow(clippy::disallowed_methods, reason = "the program that watches is the one that sleeps")]
    fn watch<C: mgmt_api::Command>(
        &self,
        watch: &Watch,
        request: &C,
        table: impl Fn(&C::Reply, Option<usize>) -> String,
    ) -> Result<(), Failure> {
        let mut client = self.connect()?;
        loop {
            let reply = client.call(request)?;
            let Some(interval) = watch.watch else {
                return self.print(&reply, table(&reply, terminal_width()), false);
            };
            self.print(&reply, table(&reply, terminal_width()), true)?;
            std::thread::sleep(interval);
        }
    }

    fn print<R: serde::Serialize>(&self, reply: &R, table: String, again: bool) -> Result<(), Failure> {
        let text = match (self.json, again) {
            (true, false) => json_text(serde_json::to_string_pretty(reply))?,
            (true, true) => json_text(serde_json::to_string(reply))?,
            // Home, and clear: the figures stay in their place.
            (false, true) if io::stdout().is_terminal() => format!("\x1b[H\x1b[2J{table}"),
            (false, _) => table,
        };
        write_out(&text)
    }
}

fn json_text(result: serde_json::Result<String>) -> Result<String, Failure> {
    let failed = Failure::output("write the reply as JSON");
    result.map(|text| text + "\n").map_err(|error| failed(io::Error::other(error)))
}

/// Writes all of it to standard output at once.
fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output("write to standard output"))
}

/// The width of the terminal that is printed on; `None` where it is none.
fn terminal_width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}
