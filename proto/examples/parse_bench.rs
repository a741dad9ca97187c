//! Nanoseconds per request of the HTTP/1 server machine, and per answer of its encoder and of the client's reader.
//!
//! `cargo run --release -p proto --example parse_bench [ROUNDS [NAME]]`. Under `valgrind --tool=callgrind` give few
//! rounds and part of one row's name: a row runs six times its rounds.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant as Clock;

use proto::h1::encode::{BodyLength, ResponseHead, response_head};
use proto::h1::{Event, HeaderSlots, Limits, ResponseReader, Server, client};
use proto::{HttpDate, Instant, Method, Status, Version};

const SMALL: &[u8] = b"GET /fastest/ever/ok HTTP/1.1\r\nHost: 10.77.0.2:8080\r\n\r\n";
const WRK: &[u8] = b"GET /fastest/ever/ok HTTP/1.1\r\nHost: 10.77.0.2:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const BROWSER: &[u8] = b"GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n\
Host: www.kittyhell.com\r\n\
User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n\
Accept-Encoding: gzip,deflate\r\n\
Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n\
Keep-Alive: 115\r\n\
Connection: keep-alive\r\n\
Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; __utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; __utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|utmcct=/reader/|utmcmd=referral\r\n\r\n";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2_000_000);
    let only = arguments.next().unwrap_or_default();
    let report = |what: String, run: &mut dyn FnMut()| {
        if what.contains(&only) {
            report(&what, rounds, run);
        }
    };
    for (name, request) in [("small", SMALL), ("wrk-like", WRK), ("browser", BROWSER)] {
        report(format!("parse {name} ({} B)", request.len()), &mut || parse(rounds, request));
        report(format!("httparse alone {name}"), &mut || httparse_alone(rounds, request));
    }
    report("encode a head".into(), &mut || encode(rounds));
    report("read an answer".into(), &mut || read_answer(rounds));
}

fn report(what: &str, rounds: u32, mut run: impl FnMut()) {
    run();
    let best = (0..5)
        .map(|_| {
            let start = Clock::now();
            run();
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{what:40} {best:8.1} ns");
}

fn parse(rounds: u32, request: &[u8]) {
    let limits = Limits::default();
    let now = Instant::from_nanos(1);
    let mut server = Server::new(now);
    for _ in 0..rounds {
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(now, &limits, &mut slots, black_box(request));
        let Event::Request(head) = step.event else { panic!("the request does not parse") };
        black_box((head.target.path, head.authority, head.keep_alive));
        black_box(server.response_sent(now, &limits, false));
    }
}

fn httparse_alone(rounds: u32, request: &[u8]) {
    for _ in 0..rounds {
        let mut slots = [const { std::mem::MaybeUninit::uninit() }; 100];
        let mut parsed = httparse::Request::new(&mut []);
        black_box(parsed.parse_with_uninit_headers(black_box(request), &mut slots)).expect("parses");
        black_box(parsed.path);
    }
}

fn encode(rounds: u32) {
    let date = HttpDate::from_unix(784_111_777);
    let mut out = Vec::with_capacity(512);
    for _ in 0..rounds {
        out.clear();
        let head = ResponseHead {
            status: Status::OK,
            version: Version::Http11,
            head_request: false,
            keep_alive: true,
            date: Some(&date),
            server: Some("anygate"),
            content_type: Some("text/plain; charset=utf-8"),
            body: BodyLength::Known(12),
            headers: &[],
        };
        black_box(response_head(&mut out, black_box(&head))).expect("encodes");
        black_box(out.len());
    }
}

fn read_answer(rounds: u32) {
    let answer: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n";
    let limits = client::ResponseLimits::default();
    let mut reader = ResponseReader::new();
    for _ in 0..rounds {
        reader.request_sent(Method::Get);
        let mut at = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = reader.handle_bytes(&limits, &mut slots, black_box(&answer[at..]));
            at += step.consumed;
            if matches!(black_box(step.event), client::ResponseEvent::End { .. }) {
                break;
            }
        }
    }
}
