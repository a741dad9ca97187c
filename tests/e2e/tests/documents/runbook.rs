//! How each command of the documents is run, and why some are not.

use crate::folder::Folder;
use crate::site;
use crate::text::{self, Shown, all_commands, root};
use e2e::{binaries, run};
use std::process::Command;

/// Commands that no test runs, each with its reason.
const NOT_RUN: &[(&str, &str)] = &[(
    "cargo build --release -p port-afxdp --example xdp_echo",
    "an optimised build takes minutes; the test below builds the same example in its own profile, and runs it",
)];

/// How a command is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Beside the README's example, served in a network of its own.
    Site,
    /// The two ends of the AF_XDP measurement.
    XdpEcho,
    /// `make -n`: the target is there with all that it needs. `make test` runs this test, `make run` is what the demo's
    /// test does, and `make bench` takes half an hour.
    DryRun,
    /// A variable that overrides the README's example, which is then checked.
    Environment,
    /// What writes generated documents anew: the package is there. Without `UPDATE=1` the same tests compare, in
    /// `make test`.
    Update,
    /// See [`NOT_RUN`].
    Not,
}

impl How {
    /// How `command` is run, if anybody knows.
    pub fn of(command: &str) -> Option<How> {
        let known = [
            ("anygate ", How::Site),
            ("anygate-bench ", How::Site),
            ("mgmt ", How::Site),
            ("make ", How::DryRun),
            ("ANYGATE_", How::Environment),
            ("UPDATE=1 cargo test -p ", How::Update),
        ];
        if NOT_RUN.iter().any(|(other, _)| *other == command) {
            return Some(How::Not);
        }
        if command.contains("examples/xdp_echo ") {
            return Some(How::XdpEcho);
        }
        known.iter().find(|(begin, _)| command.starts_with(begin)).map(|(_, how)| *how)
    }
}

/// The commands of all documents that are run in this way.
pub fn commands(how: How) -> Vec<Shown> {
    let found: Vec<Shown> = all_commands().into_iter().filter(|shown| How::of(&shown.command) == Some(how)).collect();
    assert!(!found.is_empty(), "no document shows a command of {how:?}");
    found
}

#[test]
fn every_command_is_run_or_says_why_not() {
    let shown = all_commands();
    let unknown: Vec<String> =
        shown.iter().filter(|shown| How::of(&shown.command).is_none()).map(Shown::to_string).collect();
    assert!(unknown.is_empty(), "nobody runs these:\n{}", unknown.join("\n"));
    for (command, _) in NOT_RUN {
        assert!(shown.iter().any(|shown| shown.command == *command), "no document shows `{command}` any more");
    }
}

#[test]
fn targets_of_make_are_there() {
    for shown in commands(How::DryRun) {
        let line = shown.command.replacen("make ", "make --dry-run ", 1);
        let said = run(Command::new("sh").args(["-ec", &line]).current_dir(root()));
        assert_eq!(said.code, Some(0), "{shown}\n{}", said.stderr);
    }
}

#[test]
fn variables_override_the_example() {
    let folder = Folder::new("environment");
    site::write_example(folder.path());
    for shown in commands(How::Environment) {
        let line = format!("{} exec anygate check -c site.yaml", shown.command);
        let said = run(site::shell(Command::new("sh"), folder.path()).args(["-ec", &line]));
        assert_eq!(said.code, Some(0), "{shown}\n{}", said.stderr);
    }
}

#[test]
fn packages_with_generated_documents_are_there() {
    for shown in commands(How::Update) {
        let package = shown.command.split(' ').nth(4).expect("a name behind -p");
        let said = run(Command::new(env!("CARGO")).args(["pkgid", "--offline", package]).current_dir(root()));
        assert_eq!(said.code, Some(0), "{shown}\n{}", said.stderr);
    }
}

/// What running text names, as CONTRIBUTING does, must be there too.
#[test]
fn targets_named_in_running_text_are_there() {
    let makefile = text::read("Makefile");
    for file in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/BENCH.md"] {
        for target in text::read(file).split("`make ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
            assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{file}: make {target}");
        }
    }
}

#[test]
fn the_example_of_the_readme_is_a_good_configuration() {
    let folder = Folder::new("readme");
    site::write_example(folder.path());
    let anygate = |arguments: &[&str]| {
        let mut command = Command::new(binaries::anygate());
        run(command.current_dir(folder.path()).args(arguments)).success()
    };
    let said = anygate(&["check", "-c", "site.yaml"]);
    assert!(said.contains("ok, 5 routes"), "{said}");
    let tree = anygate(&["routes", "-c", "site.yaml"]);
    for part in ["GET POST PATCH", "/c-forbidden", "*rest", "(site.yaml:"] {
        assert!(tree.contains(part), "{part} is missing in\n{tree}");
    }
    let explained = [("/a/b/c", "/a/b/c: *"), ("/old/page", "GET /old/*rest: "), ("/fastest/ever/ok", ": OK")];
    for (path, rule) in explained {
        let said = anygate(&["explain", "-c", "site.yaml", "GET", path]);
        assert!(said.contains(rule) && said.contains("why"), "{said}");
    }
}
