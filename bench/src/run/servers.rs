//! The servers that are measured, each on one core.

use super::RunArgs;
use super::wire::{SERVER, SERVER_INTERFACE, Wire};
use crate::error::BenchError;
use crate::host;
use crate::scenario::Scenario;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerKind {
    /// Ours, on AF_XDP.
    AnyGate,
    /// Debian's nginx on the kernel's stack.
    Nginx,
}

/// Open files that one process may have at most: a kernel server needs one a connection.
fn open_files_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

impl ServerKind {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            ServerKind::AnyGate => "anygate",
            ServerKind::Nginx => "nginx",
        }
    }

    /// How it reaches the wire.
    pub fn port(self) -> &'static str {
        match self {
            ServerKind::AnyGate => "af_xdp",
            ServerKind::Nginx => "kernel",
        }
    }

    /// Why it cannot run a scenario on this machine, if it cannot.
    pub fn cannot(self, scenario: &Scenario) -> Option<String> {
        let wanted = (scenario.connections + scenario.idle_connections) as u64 + 100;
        let limit = open_files_limit();
        (self == ServerKind::Nginx && wanted > limit)
            .then(|| format!("not run: one nginx worker needs {wanted} open files, this machine allows {limit}"))
    }
}

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts it in the wire's server namespace, pinned, under real-time priority where allowed, and waits until it
    /// accepts or has said why it does not.
    pub fn start(kind: ServerKind, wire: &Wire, args: &RunArgs, scenario: &Scenario) -> Result<Server, BenchError> {
        let folder = std::env::temp_dir().join(format!("anygate-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| BenchError::io("make a folder for the server", e))?;
        let mut words = vec!["ip".to_owned(), "netns".into(), "exec".into(), wire.server_namespace().to_owned()];
        match kind {
            // It pins its worker itself; only that thread gets real-time priority, once it runs: the others wait on it.
            ServerKind::AnyGate => words.extend(anygate(&folder, args, scenario)?),
            ServerKind::Nginx => {
                words.extend(host::pinned(args.server_core));
                words.extend(nginx(&folder)?);
            }
        }
        let log = fs::File::create(folder.join("log")).map_err(|e| BenchError::io("write the server's log", e))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|e| BenchError::io("start the server", e))?;
        let mut server = Server { child, folder };
        server.wait_until_ready(kind, wire)?;
        if kind == ServerKind::AnyGate && host::realtime_allowed() {
            server.prioritise_worker()?;
        }
        Ok(server)
    }

    /// The process; `ip netns exec` and the others replace themselves by the server.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub fn stop(self) {}

    fn prioritise_worker(&self) -> Result<(), BenchError> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid()));
        let threads = threads.map_err(|e| BenchError::io("list the server's threads", e))?;
        let is_worker = |tid: &String| {
            let name = fs::read_to_string(format!("/proc/{}/task/{tid}/comm", self.pid()));
            name.is_ok_and(|name| name.starts_with("worker-"))
        };
        let names = threads.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        for tid in names.filter(is_worker) {
            host::command("chrt", &["-f", "-p", "1", &tid])?;
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "a tool that waits for a process")]
    fn wait_until_ready(&mut self, kind: ServerKind, wire: &Wire) -> Result<(), BenchError> {
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(50));
            if let Ok(Some(status)) = self.child.try_wait() {
                let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(BenchError::new(format!("{} ended ({status}): {}", kind.name(), said.trim())));
            }
            let ready = match kind {
                ServerKind::AnyGate => self.folder.join("control.sock").exists(),
                ServerKind::Nginx => listens(wire),
            };
            if ready {
                return Ok(());
            }
        }
        Err(BenchError::new(format!("{} did not become ready within 5 s", kind.name())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first, so that nothing is left on the interface; a server that does not end is killed.
        let pid = self.child.id().to_string();
        let _ = host::command("kill", &["-TERM", &pid]);
        for _ in 0..40 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                break;
            }
            #[allow(clippy::disallowed_methods, reason = "a tool that waits for a process")]
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn listens(wire: &Wire) -> bool {
    host::command("ip", &["netns", "exec", wire.server_namespace(), "ss", "-Hltn", "sport = :80"])
        .is_ok_and(|output| !output.stdout.is_empty())
}

fn write(path: &Path, text: &str) -> Result<String, BenchError> {
    fs::write(path, text).map_err(|e| BenchError::io("write the server's configuration", e))?;
    Ok(path.display().to_string())
}

fn anygate(folder: &Path, args: &RunArgs, scenario: &Scenario) -> Result<Vec<String>, BenchError> {
    let text = format!(
        "server:
  listen: ['{SERVER}:80']
  workers: 1
  cores: [{core}]
  polling: {polling}
  control: {{ socket: {socket} }}
  limits: {{ max_connections: 200000 }}
  timeouts: {{ idle: 1h }}
ports:
  - kind: af_xdp
    interface: {SERVER_INTERFACE}
    addresses: ['{SERVER}/24']
routes: |
  GET /fastest/ever/ok: OK
",
        core = args.server_core,
        polling = if scenario.is_light() { "adaptive" } else { "always" },
        socket = folder.join("control.sock").display(),
    );
    let file = write(&folder.join("anygate.yaml"), &text)?;
    Ok(vec![args.bin_dir.join("anygate").display().to_string(), "serve".into(), "-c".into(), file])
}

/// Tuned as its documentation advises for such answers: one worker, no access log, connections kept without limit.
fn nginx(folder: &Path) -> Result<Vec<String>, BenchError> {
    let files = open_files_limit().min(200_000);
    let text = format!(
        "daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections {files}; multi_accept on; use epoll; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  tcp_nodelay on;
  reset_timedout_connection on;
  server_tokens off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 80 backlog=65535;
    location = /fastest/ever/ok {{ return 200; }}
  }}
}}
",
        folder = folder.display(),
    );
    let file = write(&folder.join("nginx.conf"), &text)?;
    Ok(vec!["nginx".into(), "-c".into(), file, "-p".into(), folder.display().to_string()])
}
