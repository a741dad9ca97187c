//! The README's example, served in a network of its own, and the commands of the documents run beside it.
//!
//! ```text
//!   namespace "client"                        namespace "server"
//!   eth1 203.0.113.1, 2001:db8::1 ── veth ── eth1 203.0.113.10, 2001:db8::10 ▸ anygate serve -c site.yaml
//! ```

use crate::folder::Folder;
use crate::runbook::{How, commands};
use crate::text::{self, Shown};
use e2e::http::{Connection, Response};
use e2e::{Namespace, Output, binaries, can_run, run, skip, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Readers behind a pipe that are not ours to test, and may not be there: everything that they get is taken for them.
const READERS: [&str; 3] = ["jq", "man", "wireshark"];
/// What is installed there by the documents lands in the test's folder here.
const INSTALLED: &str = "/etc/bash_completion.d/";

/// Writes the README's configuration as `site.yaml`, and beside it `bin` with the programs.
pub fn write_example(folder: &Path) {
    std::fs::write(folder.join("site.yaml"), text::fence(&text::read("README.md"), "yaml")).expect("a file");
    std::fs::create_dir_all(folder.join("bin")).expect("a folder");
    for program in [binaries::anygate(), binaries::mgmt()] {
        let program = program.canonicalize().expect("it was built");
        symlink(&program, folder.join("bin").join(program.file_name().expect("a name"))).expect("a link");
    }
}

/// Lets `command` find the programs, the files and the control socket of the example.
pub fn shell(mut command: Command, folder: &Path) -> Command {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let socket = folder.join("control.sock");
    command.env("PATH", path).env("ANYGATE_SOCKET", &socket).env("ANYGATE_SERVER__CONTROL__SOCKET", &socket);
    command.current_dir(folder);
    command
}

struct Site {
    client: Namespace,
    server: Namespace,
    folder: Folder,
    serving: Option<Child>,
}

impl Site {
    fn new(name: &str) -> Site {
        let (client, server) = (Namespace::new(), Namespace::new());
        client.sh(&format!(
            "ip link add eth1 numrxqueues 1 numtxqueues 1 type veth peer name eth1 numrxqueues 1 numtxqueues 1 netns {}\n\
             ip addr add 203.0.113.1/24 dev eth1\n ip addr add 2001:db8::1/64 dev eth1\n ip link set eth1 up",
            server.name()
        ));
        server.sh("ip addr add 203.0.113.10/24 dev eth1\n ip addr add 2001:db8::10/64 dev eth1\n ip link set eth1 up");
        let folder = Folder::new(name);
        write_example(folder.path());
        Site { client, server, folder, serving: None }
    }

    /// Runs a line of shell at one end.
    fn line(&self, end: &Namespace, line: &str) -> Output {
        run(shell(end.command("sh"), self.folder.path()).args(["-ec", line]))
    }

    /// Runs the line that serves, and waits until it does.
    fn serve(&mut self, shown: &Shown) {
        let log = File::create(self.folder.path().join("log")).expect("a file");
        let mut command = shell(self.server.command("sh"), self.folder.path());
        command.args(["-ec", &format!("exec {}", shown.command)]).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("sh starts");
        self.serving = Some(child);
        wait_until("the example serves", Duration::from_secs(15), || {
            let ended = self.serving.as_mut().and_then(|child| child.try_wait().expect("its state"));
            assert!(ended.is_none(), "{shown} ended: {}", self.log());
            self.line(&self.server, "mgmt status").stdout.contains("serving")
        });
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn ask(&self, path: &str, to: SocketAddr) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nHost: site\r\n\r\n");
        let answer = self.client.enter(|| Connection::open(to)?.exchange(request.as_bytes()));
        answer.unwrap_or_else(|error| panic!("{path} from {to}: {error}\n{}", self.log()))
    }

    /// Runs a line of `mgmt`, which may not end by itself, while requests come.
    fn look(&self, shown: &Shown) {
        let stop = AtomicBool::new(false);
        let said = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    self.ask("/fastest/ever/ok", ADDRESSES[0].parse().expect("an address"));
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let said = self.line(&self.server, &bounded(&shown.command));
            stop.store(true, Ordering::Relaxed);
            said
        });
        let ended_by_us = shown.command.contains("--watch") || shown.command.contains("--seconds");
        assert!(said.code == Some(0) || ended_by_us && said.code == Some(124), "{shown}\n{said:?}\n{}", self.log());
        if shown.command.contains("| tcpdump") {
            assert!(said.stdout.contains("HTTP"), "{shown}\n{said:?}");
        } else if !shown.command.contains(['|', '>']) && !shown.command.contains("capture") {
            assert!(!said.stdout.is_empty(), "{shown}\n{said:?}");
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut child) = self.serving.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A line that ends soon, with foreign readers replaced and nothing installed.
fn bounded(line: &str) -> String {
    let mut line = line.replace(INSTALLED, "./");
    if let Some((ours, reader)) = line.split_once(" | ")
        && READERS.iter().any(|name| reader.split(' ').next() == Some(name))
    {
        line = format!("{ours} | cat > reader");
    }
    if line.contains("--watch") || line.contains("--seconds") {
        return format!("timeout --signal=INT 2 {line}");
    }
    line.replace("capture -w", "capture --count 8 --seconds 5 -w")
}

const ADDRESSES: [&str; 2] = ["203.0.113.10:80", "[2001:db8::10]:80"];

/// Path, status, and what the answer must show.
const ANSWERS: [(&str, u16, &str); 5] = [
    ("/fastest/ever/ok", 200, ""),
    ("/api/mock/rude", 403, r#"{"msg":"GO PATCH UR MUM!"}"#),
    ("/a/b/c", 200, "/a/b/c"),
    ("/a/b/c-forbidden", 403, "/a/b/c-forbidden"),
    ("/old/page", 301, "/new/page"),
];

#[test]
fn the_example_serves_and_every_command_beside_it_works() {
    if !can_run(&["ip", "tcpdump"]) {
        return;
    }
    let mut site = Site::new("site");
    let shown = commands(How::Site);
    let of = |program: &str| shown.iter().filter(|shown| shown.command.starts_with(program)).collect::<Vec<_>>();
    let (serve, files): (Vec<&Shown>, Vec<&Shown>) =
        of("anygate ").into_iter().partition(|shown| shown.command.starts_with("anygate serve "));
    let (drain, look): (Vec<&Shown>, Vec<&Shown>) =
        of("mgmt ").into_iter().partition(|shown| shown.command.starts_with("mgmt drain"));
    for shown in files {
        let said = site.line(&site.server, &shown.command);
        assert!(said.code == Some(0) && !said.stdout.is_empty(), "{shown}\n{said:?}");
    }
    site.serve(serve.first().expect("a document shows how to serve"));
    for address in ADDRESSES {
        for (path, status, part) in ANSWERS {
            let answer = site.ask(path, address.parse().expect("an address"));
            let text = format!("{:?} {}", answer.header("location"), String::from_utf8_lossy(&answer.body));
            assert!(answer.status == status && text.contains(part), "{path}: {} {text}", answer.status);
        }
    }
    look.into_iter().for_each(|shown| site.look(shown));
    symlink(binaries::bench(), site.folder.path().join("bin/anygate-bench")).expect("a link");
    for shown in of("anygate-bench ") {
        let said = site.line(&site.client, &shown.command);
        assert!(said.code == Some(0) && said.stdout.contains("requests_per_second"), "{shown}\n{said:?}");
    }
    let last = drain.first().expect("a document shows how to drain");
    let said = site.line(&site.server, &last.command);
    assert_eq!(said.code, Some(0), "{last}\n{said:?}");
    let mut child = site.serving.take().expect("it serves");
    // The generator went away without closing its connections: the drain would wait for them until its deadline.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::TERM).expect("it is our child");
    assert_eq!(child.wait().expect("its end").code(), Some(0), "{}", site.log());
}

#[test]
fn both_ends_of_the_measurement_run() {
    if !can_run(&["ip", "chrt", "taskset"]) {
        return;
    }
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        return skip("needs two cores: both ends of the measurement spin");
    }
    let realtime = run(Command::new("chrt").args(["-f", "1", "true"])).code == Some(0);
    let site = Site::new("echo");
    let examples = format!("{}/", binaries::examples("port-afxdp").display());
    let lines: Vec<(Shown, String)> = commands(How::XdpEcho)
        .into_iter()
        .map(|shown| {
            let line = shown.command.replace("target/release/examples/", &examples);
            let line = line.replace(" IF ", " eth1 ").replace(" PEER ", " eth1 ");
            // What real-time priority is for is the figure, which is not looked at here.
            let line = if realtime { line } else { line.replace("chrt -f 1 ", "") };
            (shown, line)
        })
        .collect();
    let [(echo, at_server), (send, at_client)] = lines.as_slice() else { panic!("two lines: {lines:?}") };
    let (echoed, sent) = std::thread::scope(|scope| {
        let echoed = scope.spawn(|| site.line(&site.server, at_server));
        let sent = site.line(&site.client, at_client);
        (echoed.join().expect("a thread of the test's own"), sent)
    });
    assert!(echoed.code == Some(0) && echoed.stdout.contains("rx_frames"), "{echo}\n{echoed:?}");
    assert!(sent.code == Some(0) && sent.stdout.contains("rx_frames"), "{send}\n{sent:?}");
}
