//! The commands of `anygate` that only look at a file. They need neither root nor a network.

use e2e::{Output, binaries, run};
use std::path::{Path, PathBuf};
use std::process::Command;

const GOOD: &str = "\
server:
  listen: \":80\"
ports:
  - {kind: tap, interface: t0, addresses: 10.0.0.1/24}
routes:
  \"/\": \"/dist/\"
  \"/ping\": \"http://auth/ping\"
  GET POST PATCH /api/mock/rude: FORBIDDEN {\"msg\":\"GO PATCH UR MUM!\"}
  GET /fastest/ever/ok: OK
  /a/b/c: *
  /a/b/c-forbidden: FORBIDDEN *
";

/// A folder with one configuration, removed at the end.
struct Site(PathBuf);

impl Site {
    fn new(name: &str, text: &str) -> Site {
        let folder = std::env::temp_dir().join(format!("anygate-commands-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        std::fs::write(folder.join("site.yaml"), text).expect("a file of the test's own");
        Site(folder)
    }

    fn anygate(&self, arguments: &[&str]) -> Output {
        let (command, rest) = arguments.split_first().expect("a command");
        let file = Path::new("site.yaml");
        run(Command::new(binaries::anygate()).current_dir(&self.0).args([command, "-c"]).arg(file).args(rest))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn check_accepts_the_six_lines() {
    let site = Site::new("good", GOOD);
    let said = site.anygate(&["check"]).success();
    assert!(said.contains("ok, 6 routes"), "{said}");
}

#[test]
fn check_points_at_each_mistake_and_says_what_to_write() {
    let site = Site::new("bad", &GOOD.replace("FORBIDDEN *", "FORBIDEN *").replace("GET /fastest", "GTE /fastest"));
    let said = site.anygate(&["check"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    for part in
        ["site.yaml:11:21", "  /a/b/c-forbidden: FORBIDEN *", "^^^^^^^^", "did you mean `FORBIDDEN`?", "site.yaml:9:3"]
    {
        assert!(said.stderr.contains(part), "{part} is missing in\n{}", said.stderr);
    }
}

#[test]
fn check_names_a_file_that_is_not_there() {
    let site = Site::new("none", GOOD);
    let said = run(Command::new(binaries::anygate()).current_dir(&site.0).args(["check", "-c", "nothing.yaml"]));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("nothing.yaml"), "{}", said.stderr);
}

#[test]
fn routes_prints_the_tree_with_places() {
    let site = Site::new("routes", GOOD);
    let said = site.anygate(&["routes"]).success();
    for part in ["/c-forbidden", "GET POST PATCH", "(site.yaml:9:3)"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn explain_says_which_rule_and_why() {
    let site = Site::new("explain", GOOD);
    let said = site.anygate(&["explain", "GET", "/a/b/c"]).success();
    assert!(said.contains("/a/b/c: *") && said.contains("site.yaml:10:3") && said.contains("why"), "{said}");
    let said = site.anygate(&["explain", "PUT", "/fastest/ever/ok"]).success();
    assert!(said.contains("405") && said.contains("Allow: GET, HEAD, OPTIONS"), "{said}");
    let said = site.anygate(&["explain", "GET", "http://lab/a/%2e%2e/fastest/ever/ok?x"]).success();
    assert!(said.contains("GET /fastest/ever/ok: OK"), "{said}");
    assert_eq!(site.anygate(&["explain", "G T", "/"]).code, Some(2));
}

#[test]
fn serve_without_a_port_says_what_to_write() {
    let site = Site::new("portless", "routes:\n  GET /: OK\n");
    let said = site.anygate(&["serve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("there is no port to serve on") && said.stderr.contains("af_xdp"), "{}", said.stderr);
}
