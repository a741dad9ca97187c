//! `deploy/demo/run.sh`, as somebody uses it: start it, run every line that it prints, press Ctrl-C, look for remains.

use crate::folder::Folder;
use crate::text::root;
use e2e::{Namespace, binaries, can_run, install, run, skip, wait_until};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the demo makes on the host.
const NAMESPACE: &str = "/run/netns/anygate-demo";
const RUN_FOLDER: &str = "/run/anygate-demo";
const LOCK: &str = "/run/lock/anygate-demo.lock";
const INTERFACE: &str = "agdemo0";

/// Path without its query, status, and what the answer must show; behind an empty line, its whole body.
const ANSWERS: [(&str, u16, &str); 5] = [
    ("/fastest/ever/ok", 200, "\r\n\r\n"),
    ("/api/mock/rude", 403, "\r\n\r\n{\"msg\":\"GO PATCH UR MUM!\"}"),
    ("/a/b/c", 200, "\"path\":\"/a/b/c\""),
    ("/a/b/c-forbidden", 403, "\"path\":\"/a/b/c-forbidden\""),
    ("/old/page", 308, "/a/b/c"),
];

/// Where the demo runs: this machine, or a namespace in its place where the demo's addresses are in use here.
struct Host(Option<Namespace>);

impl Host {
    fn find() -> Host {
        let listed = |arguments: &[&str]| run(Command::new("ip").args(arguments)).stdout;
        let in_use = !listed(&["-o", "address", "show", "to", "10.77.0.0/24"]).is_empty()
            || !listed(&["-o", "-6", "address", "show", "to", "fd77::/64"]).is_empty();
        Host(in_use.then(Namespace::new))
    }

    fn command(&self, program: &str) -> Command {
        match &self.0 {
            Some(namespace) => namespace.command(program),
            None => Command::new(program),
        }
    }

    fn has_interface(&self) -> bool {
        run(self.command("ip").args(["link", "show", "dev", INTERFACE])).code == Some(0)
    }
}

/// The running script with its own process group, as a terminal gives it; ended when dropped.
struct Demo {
    child: Child,
    output: PathBuf,
}

impl Demo {
    fn start(host: &Host, folder: &Path) -> Demo {
        let output = folder.join("output");
        let file = File::create(&output).expect("a file");
        // A test runner in the background ignores SIGINT, and what it starts would inherit that.
        let mut command = host.command("env");
        command.args(["--default-signal=INT", "deploy/demo/run.sh"]).current_dir(root());
        command.env("ANYGATE_BIN_DIR", binaries::anygate().parent().expect("a folder")).process_group(0);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a file")).stderr(file);
        Demo { child: command.spawn().expect("the script starts"), output }
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Waits until it tells how to end it; false when another demo has its place.
    fn wait_until_ready(&mut self) -> bool {
        let mut taken = false;
        wait_until("the demo is ready", Duration::from_secs(30), || {
            let printed = self.printed();
            taken = printed.contains("another demo is running already");
            let ended = self.child.try_wait().expect("its state");
            assert!(taken || ended.is_none(), "it ended: {ended:?}\n{printed}");
            taken || printed.contains("Ctrl-C ends it")
        });
        !taken
    }

    fn press_ctrl_c(&self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        let _ = kill_process_group(group, Signal::INT);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.press_ctrl_c();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the demo\n{}---", self.printed());
        }
    }
}

#[test]
fn every_printed_line_works_and_ctrl_c_removes_every_trace() {
    if !can_run(&["ip", "curl", "tcpdump", "flock"]) {
        return;
    }
    let (host, folder) = (Host::find(), Folder::new("demo"));
    let mut demo = Demo::start(&host, folder.path());
    if !demo.wait_until_ready() {
        return skip("another demo runs on this machine");
    }
    assert!(host.has_interface() && Path::new(NAMESPACE).exists() && Path::new(RUN_FOLDER).exists());
    let printed = demo.printed();
    let lines: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let curl: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("curl ")).collect();
    assert!(curl.iter().any(|line| line.contains("10.77")) && curl.iter().any(|line| line.contains("[fd77")));
    curl.iter().for_each(|line| check_answer(&host, line));
    let server = look_inside(&host, &lines[curl.len()..], curl[0]);

    demo.press_ctrl_c();
    let mut ended = None;
    wait_until("the demo has ended", Duration::from_secs(15), || {
        ended = demo.child.try_wait().expect("its state");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(130), "{}", demo.printed());
    for path in [NAMESPACE, RUN_FOLDER, LOCK, &format!("/proc/{server}")] {
        assert!(!Path::new(path).exists(), "{path} is left");
    }
    assert!(!host.has_interface(), "{INTERFACE} is left");
}

/// Runs a printed `curl -i` line and looks at what it shows.
fn check_answer(host: &Host, line: &str) {
    let said = run(host.command("timeout").args(["10", "sh", "-c", line]));
    let url = line.split([' ', '\'']).find(|word| word.starts_with("http://")).expect("a URL");
    let path = url.trim_start_matches("http://").split_once('/').map(|(_, path)| format!("/{path}")).expect("a path");
    let path = path.split('?').next().expect("a path");
    let (_, status, part) = ANSWERS.iter().find(|(known, ..)| *known == path).expect("an expected answer");
    assert_eq!(said.code, Some(0), "{line}: {said:?}");
    assert!(said.stdout.starts_with(&format!("HTTP/1.1 {status} ")), "{line}\n{}", said.stdout);
    let right = if part.starts_with("\r\n") { said.stdout.ends_with(part) } else { said.stdout.contains(part) };
    assert!(right, "{line}\n{}", said.stdout);
    if line.contains(" -d ") {
        assert!(said.stdout.contains("echo me") && said.stdout.contains("POST"), "{line}\n{}", said.stdout);
    }
}

/// Runs the printed lines of `mgmt`; returns the process that serves.
fn look_inside(host: &Host, lines: &[&str], request: &str) -> u64 {
    let (setting, commands) = lines.split_first().expect("lines");
    assert!(setting.starts_with("export ANYGATE_SOCKET="), "{setting}");
    let sh = |line: &str| {
        let said = run(host.command("timeout").args(["20", "sh", "-ec", &format!("{setting}\n{line}")]));
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        said.stdout
    };
    let mut seen = 0;
    for line in commands {
        let expected = ["mgmt status", "mgmt counters", "mgmt drops", "mgmt capture"];
        seen += expected.iter().filter(|command| line.contains(*command)).count();
        if line.contains("mgmt capture") {
            // It runs until somebody ends it: here after so many frames, which requests in the background bring.
            let line = line.replace("capture ", "capture --count 8 --seconds 10 ");
            let said = sh(&format!("(for i in 1 2 3 4 5 6; do sleep 0.3; {request}; done) > /dev/null 2>&1 & {line}"));
            assert!(said.contains("HTTP: GET /fastest/ever/ok"), "{said}");
        } else {
            assert!(sh(line).lines().count() > 3, "{line}");
        }
    }
    assert_eq!(seen, 4, "{commands:?}");
    let status = commands.iter().find(|line| line.ends_with("mgmt status")).expect("it is printed");
    let told: serde_json::Value = serde_json::from_str(&sh(&format!("{status} --json"))).expect("JSON");
    told["pid"].as_u64().expect("a process id")
}

#[test]
fn without_root_it_says_what_is_missing() {
    // Where everybody may read and execute them.
    let folder = Folder::new("no-root");
    let copy = |from: &Path| {
        let to = folder.path().join(from.file_name().expect("a name"));
        install(from, &to);
        to
    };
    let script = copy(&root().join("deploy/demo/run.sh"));
    copy(&binaries::anygate());
    copy(&binaries::mgmt());
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&script);
        command
    } else {
        Command::new(&script)
    };
    let said = run(command.current_dir("/").env("ANYGATE_BIN_DIR", folder.path()));
    assert_eq!(said.code, Some(1), "{said:?}");
    let advice = format!("sudo ANYGATE_BIN_DIR={} {}", folder.path().display(), script.display());
    assert!(said.stderr.contains("root") && said.stderr.contains(&advice), "{said:?}");
    let unbuilt = run(Command::new(root().join("deploy/demo/run.sh")).env("ANYGATE_BIN_DIR", "/nonexistent"));
    assert!(unbuilt.code == Some(1) && unbuilt.stderr.contains("make run"), "{unbuilt:?}");
}
