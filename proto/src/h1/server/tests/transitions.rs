//! The transitions that the module's drawing shows, and no other, whatever is called when.

use std::collections::BTreeSet;

use super::*;

/// From, by what, to. Calls that leave the phase as it is are not listed.
const TRANSITIONS: &str = "\
Answering close Closed
Answering response_sent Closed
Answering response_sent Idle
Body bytes Answering
Body bytes Closed
Body close Closed
Body eof Closed
Body response_sent Closed
Body response_sent Drain
Body timeout Closed
Drain bytes Answering
Drain bytes Body
Drain bytes Closed
Drain bytes Head
Drain bytes Idle
Drain close Closed
Drain eof Closed
Drain response_sent Closed
Drain timeout Closed
Head bytes Answering
Head bytes Body
Head bytes Closed
Head close Closed
Head eof Closed
Head response_sent Closed
Head timeout Closed
Idle bytes Answering
Idle bytes Body
Idle bytes Closed
Idle bytes Head
Idle close Closed
Idle eof Closed
Idle response_sent Closed
Idle timeout Closed
";

const INPUTS: &[&str] = &[
    "\r\n",
    "G",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "ab",
    "abGET",
    "abGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "abPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
    "0\r\n\r\n",
    "0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "1 / HTTP/1.1\r\nHost: a\r\n\r\n",
    "x\n",
];

/// Calls everything in every phase that `depth` calls lead to.
fn explore(path: &mut Vec<usize>, depth: usize, seen: &mut BTreeSet<String>) {
    let limits = Limits::default();
    for call in 0..INPUTS.len() + 5 {
        let mut server = Server::new(NOW);
        path.push(call);
        for (at, &call) in path.iter().enumerate() {
            let before = server.core.phase;
            let name = perform(&mut server, &limits, call);
            let after = server.core.phase;
            if at + 1 == path.len() && before != after {
                seen.insert(format!("{before:?} {name} {after:?}"));
            }
        }
        if depth > 1 && !server.is_closed() {
            explore(path, depth - 1, seen);
        }
        path.pop();
    }
}

fn perform(server: &mut Server, limits: &Limits, call: usize) -> &'static str {
    if let Some(input) = INPUTS.get(call) {
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(NOW, limits, &mut slots, input.as_bytes());
        if let Event::Body(_) = step.event {
            let mut slots = HeaderSlots::new();
            server.handle_bytes(NOW, limits, &mut slots, b"");
        }
        return "bytes";
    }
    match call - INPUTS.len() {
        0 => {
            server.response_sent(NOW, limits, false);
            "response_sent"
        }
        1 => {
            server.response_sent(NOW, limits, true);
            "response_sent"
        }
        2 => {
            server.handle_eof();
            "eof"
        }
        3 => {
            server.handle_timeout(Instant::FAR_FUTURE, limits);
            "timeout"
        }
        _ => {
            server.close();
            "close"
        }
    }
}

#[test]
fn no_other_transition() {
    let mut seen = BTreeSet::new();
    explore(&mut Vec::new(), 4, &mut seen);
    let table: String = seen.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(table, TRANSITIONS);
}
