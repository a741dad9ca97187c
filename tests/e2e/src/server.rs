//! A running `anygate`.

use crate::tools::{self, Output, wait_until};
use crate::{Lab, binaries};
use mgmt_api::{Client, Command as ControlCommand, CounterRow, CountersRequest, ServiceState, StatusRequest};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long it may take until it serves, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running `anygate`; killed when dropped, and its log shown when the test failed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    config: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts it on the lab's wire with these lines below `server:` (two blanks deep; port 80 unless they say `listen`) and this `routes` section, and
    /// waits until it serves.
    pub fn start(lab: &Lab, server_lines: &str, routes: &str) -> Server {
        let config = lab.file("anygate.yaml");
        write_config(lab, &config, server_lines, routes);
        let log = lab.file("anygate.log");
        let out = File::create(&log).expect("a log file");
        let child = lab
            .server()
            .command(binaries::anygate())
            .args(["serve", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(out.try_clone().expect("a log file"))
            .stdout(out)
            .spawn()
            .expect("anygate starts");
        let mut server = Server { child, config, socket: lab.file("control.sock"), log };
        server.wait_until_serving();
        server
    }

    fn wait_until_serving(&mut self) {
        wait_until("anygate serves", PATIENCE, || {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "anygate ended: {ended:?}\n{}", self.log());
            let status = Client::connect(&self.socket).and_then(|mut client| client.call(&StatusRequest {}));
            status.is_ok_and(|status| status.state == ServiceState::Serving)
        });
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Replaces its configuration file, in one step, and does not tell it.
    pub fn rewrite(&self, lab: &Lab, server_lines: &str, routes: &str) {
        let fresh = lab.file("fresh.yaml");
        write_config(lab, &fresh, server_lines, routes);
        std::fs::rename(&fresh, &self.config).expect("a file of the test's own");
    }

    /// Asks its control socket.
    pub fn ask<C: ControlCommand>(&self, request: &C) -> C::Reply {
        let reply = Client::connect(&self.socket).and_then(|mut client| client.call(request));
        reply.unwrap_or_else(|error| panic!("{}: {error:?}\n{}", C::NAME, self.log()))
    }

    /// The value of a counter, all workers together.
    pub fn counter(&self, layer: &str, name: &str) -> u64 {
        let counters = self.ask(&CountersRequest {}).counters;
        let fits = |row: &&CounterRow| row.layer == layer && row.name == name;
        counters.iter().find(fits).unwrap_or_else(|| panic!("there is no counter {layer} {name}")).total
    }

    /// Waits until a counter has a value. Workers show their figures a hundred times a second, or later when the machine
    /// gives them no time, so a counter may be behind what was just seen on the wire.
    pub fn expect_counter(&self, layer: &str, name: &str, value: u64) {
        let what = format!("{layer} {name} is {value}");
        wait_until(&what, Duration::from_secs(5), || self.counter(layer, name) == value);
    }

    /// The `mgmt` program, told to talk to it.
    pub fn mgmt(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::mgmt());
        command.env("ANYGATE_SOCKET", &self.socket).args(arguments);
        command
    }

    /// Runs `mgmt` to its end.
    pub fn run_mgmt(&self, arguments: &[&str]) -> Output {
        tools::run(&mut self.mgmt(arguments))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("it is our child");
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("anygate has ended", PATIENCE, || {
            status = self.child.try_wait().expect("its state");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of proc(5)");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of anygate\n{}---", self.log());
        }
    }
}

fn write_config(lab: &Lab, path: &Path, server_lines: &str, routes: &str) {
    let socket = lab.file("control.sock");
    let listen = if server_lines.contains("listen:") { "" } else { "  listen: \":80\"\n" };
    let text = format!(
        "server:\n{listen}  control: {{socket: {}}}\n{server_lines}\n{}\n{routes}\n",
        socket.display(),
        lab.ports()
    );
    std::fs::write(path, text).expect("a file of the test's own");
}
