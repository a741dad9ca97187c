//! HTTP/1.1 over the wire: order, framing, slow peers, uploads.

use e2e::http::{Connection, Response};
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Server, Wire, run, wait_until};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const OK: &str = "GET /fastest/ever/ok HTTP/1.1\r\nHost: lab\r\n\r\n";

fn start(server_lines: &str) -> Option<(Lab, Server, SocketAddr)> {
    let lab = Lab::with_programs(Wire::USUAL, &["curl"])?;
    let server = Server::start(&lab, server_lines, ROUTES);
    let to = lab.addresses(80)[0];
    Some((lab, server, to))
}

fn open(to: SocketAddr) -> Connection {
    Connection::open(to).expect("it listens")
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let Some((lab, _server, to)) = start("") else { return };
    lab.client().enter(|| {
        let mut connection = open(to);
        let many: Vec<u8> = (0..50).flat_map(|_| CASES.iter().flat_map(|case| case.request())).collect();
        connection.send(&many).expect("it is open");
        for _ in 0..50 {
            CASES.iter().for_each(|case| case.check(&connection.response().expect("an answer")));
        }
        // The last one may end the connection; then nothing follows.
        connection
            .send(b"GET /fastest/ever/ok HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            .expect("it is open");
        let last = connection.response().expect("an answer");
        assert_eq!((last.status, last.header("connection")), (200, Some("close")));
        assert!(connection.closes().expect("an end in order"));
    });
}

#[test]
fn methods_beside_those_of_the_routes() {
    let Some((lab, _server, to)) = start("") else { return };
    lab.client().enter(|| {
        let mut connection = open(to);
        let mut ask = |method: &str, path: &str| -> Response {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\n\r\n");
            connection.send(request.as_bytes()).expect("it is open");
            connection.response_to(method).expect("an answer")
        };
        assert_eq!(ask("HEAD", "/fastest/ever/ok").status, 200);
        let refused = ask("PUT", "/fastest/ever/ok");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
        let options = ask("OPTIONS", "/fastest/ever/ok");
        assert_eq!((options.status / 100, options.header("allow")), (2, Some("GET, HEAD, OPTIONS")));
        assert_eq!(ask("GET", "/a/./x/../../fastest/ever/ok").status, 200);
        assert_eq!(ask("GET", "/fastest/ever/ok?query=1").status, 200);
    });
}

/// What a request smuggler would send, the status that answers it, and the counter that names it.
const SMUGGLED: [(&str, u16, &str); 16] = [
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "refuse_length_and_encoding",
    ),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
        "refuse_content_length_repeated",
    ),
    ("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: +5\r\n\r\nhello", 400, "refuse_content_length_invalid"),
    ("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 5, 5\r\n\r\nhello", 400, "refuse_content_length_repeated"),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
        "refuse_encoding_unknown",
    ),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
        "refuse_encoding_not_chunked",
    ),
    (
        "POST /a/b/c HTTP/1.0\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "refuse_encoding_in_http10",
    ),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
        "refuse_header_name_space",
    ),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "refuse_obs_fold",
    ),
    ("GET /a/b/c HTTP/1.1\nHost: lab\n\n", 400, "refuse_bare_lf"),
    ("GET /a/b/c HTTP/1.1\r\nHost: lab\r\nX: a\rb\r\n\r\n", 400, "refuse_bare_cr"),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        400,
        "refuse_chunk_size_invalid",
    ),
    (
        "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        400,
        "refuse_chunk_end_missing",
    ),
    ("GET /a/b/c HTTP/1.1\r\nHost: lab\r\nHost: other\r\n\r\n", 400, "refuse_host_repeated"),
    ("GET /a/b/c HTTP/1.1\r\n\r\n", 400, "refuse_host_missing"),
    ("CONNECT lab:443 HTTP/1.1\r\nHost: lab:443\r\n\r\n", 501, "refuse_connect"),
];

#[test]
fn what_could_be_smuggled_is_refused_named_and_ends_the_connection() {
    let Some((lab, server, to)) = start("") else { return };
    for (request, status, name) in SMUGGLED {
        let before = server.counter("http", name);
        lab.client().enter(|| {
            let mut connection = open(to);
            connection.send(format!("{request}{OK}").as_bytes()).expect("it is open");
            let response = connection.response().unwrap_or_else(|error| panic!("{request:?}: {error}"));
            assert_eq!(response.status, status, "{request:?}");
            assert_eq!(response.header("connection"), Some("close"), "{request:?}");
            // What stood behind it is answered by nobody. The end may be a reset, since some of it was not read.
            assert!(connection.closes().unwrap_or(true), "{request:?}");
        });
        wait_until(&format!("{name} counts {request:?}"), Duration::from_secs(2), || {
            server.counter("http", name) == before + 1
        });
    }
}

#[test]
fn a_slow_head_is_answered_408_and_a_slow_body_too() {
    let Some((lab, server, to)) = start("  timeouts: {header: 400ms, body: 400ms, idle: 30s}") else { return };
    let slowly = |head: &str, drip: &str| {
        let mut connection = open(to);
        connection.send(head.as_bytes()).expect("it is open");
        let begun = Instant::now();
        let mut sink = connection.stream().try_clone().expect("a second handle");
        let drip = drip.to_owned();
        let dripping = std::thread::spawn(move || {
            use std::io::Write;
            while !drip.is_empty()
                && begun.elapsed() < Duration::from_secs(5)
                && sink.write_all(drip.as_bytes()).is_ok()
            {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let response = connection.response().expect("an answer");
        assert_eq!(response.status, 408);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert!(connection.closes().unwrap_or(true));
        drop(connection);
        dripping.join().expect("the dripping ends");
    };
    lab.client().enter(|| {
        slowly("GET /fastest/ever/ok HTTP/1.1\r\nHost: lab\r\n", "X: y\r\n");
        slowly("GET /fastest", "");
        slowly("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000\r\n\r\n", "");
    });
    server.expect_counter("http", "refuse_head_timeout", 2);
    server.expect_counter("http", "refuse_body_timeout", 1);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let Some((lab, server, to)) = start("  timeouts: {idle: 300ms}") else { return };
    lab.client().enter(|| {
        let mut silent = open(to);
        let mut used = open(to);
        assert_eq!(used.exchange(OK.as_bytes()).expect("an answer").status, 200);
        assert!(silent.closes().expect("an end in order"));
        assert!(used.closes().expect("an end in order"));
    });
    server.expect_counter("http", "idle_closed", 2);
}

#[test]
fn an_upload_waits_for_100_continue() {
    let Some((lab, server, to)) = start("") else { return };
    let body = "0123456789".repeat(2_000);
    let head =
        format!("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n", body.len());
    lab.client().enter(|| {
        let mut connection = open(to);
        assert_eq!(connection.exchange(head.as_bytes()).expect("an interim answer").status, 100);
        let response = connection.exchange(body.as_bytes()).expect("an answer");
        assert_eq!(response.status, 200);
        let told: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!((told["body_bytes"].as_u64(), told["body"].as_str()), (Some(20_000), Some(body.as_str())));
    });
    let file = lab.file("body");
    std::fs::write(&file, &body).expect("a file of the test's own");
    let mut curl = lab.client().command("curl");
    curl.args([
        "-sS",
        "-m",
        "10",
        "-H",
        "Expect: 100-continue",
        "-w",
        "%{http_code}",
        "-o",
        "/dev/null",
        "--data-binary",
    ]);
    assert_eq!(run(curl.arg(format!("@{}", file.display())).arg(format!("http://{to}/a/b/c"))).success(), "200");
    server.expect_counter("http", "continues", 2);
}

#[test]
fn chunked_uploads_arrive_whole_and_too_large_ones_are_refused() {
    let Some((lab, _server, to)) = start("  limits: {body: 64KiB}") else { return };
    lab.client().enter(|| {
        let mut connection = open(to);
        let request = "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n\
                       5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: z\r\n\r\n";
        let response = connection.exchange(request.as_bytes()).expect("an answer");
        assert!(String::from_utf8_lossy(&response.body).contains("hello world"));
        let head = "POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 65537\r\n\r\n";
        assert_eq!(connection.exchange(head.as_bytes()).expect("an answer").status, 413);
    });
}
