//! A peer whose flows change their queue: Linux chooses the transmit queue of a veth, which is the receive queue at its
//! other end, and here its mind is changed all the time.

mod active;

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Mode, Server, Wire};
use mgmt_api::StatusRequest;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WIRE: Wire = Wire::AfXdp { mode: Mode::Native, queues: 2 };
/// How often the queue of the peer's flows changes.
const CHANGE_EVERY: Duration = Duration::from_millis(5);

/// While `work` runs, all flows of the peer leave by queue 0, then all by queue 1, and so on: those with nothing in flight
/// change at once, which is before each request; a flow in the midst of a transfer stays.
pub(super) fn with_changing_queues<T>(lab: &Lab, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.client().sh(&format!(
                "all=$(printf %x $(((1 << $(nproc --all)) - 1))); cd /sys/class/net/{}/queues; while [ ! -e {stop} ]; do \
                 echo $all > tx-0/xps_cpus; echo 0 > tx-1/xps_cpus; sleep {pause}; \
                 echo 0 > tx-0/xps_cpus; echo $all > tx-1/xps_cpus; sleep {pause}; done",
                e2e::CLIENT_INTERFACE,
                stop = lab.file("stop").display(),
                pause = CHANGE_EVERY.as_secs_f64(),
            ));
            stop.store(true, Ordering::Relaxed);
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        std::fs::write(lab.file("stop"), "").expect("a file of the test's own");
        let begun = Instant::now();
        while !stop.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Connections that live on while their queue changes: short requests and bodies of many segments, both ways.
#[test]
fn flows_that_change_their_queue_are_served_without_a_loss() {
    const CONNECTIONS: usize = 64;
    const ROUNDS: usize = 60;
    let Some(lab) = Lab::new(WIRE) else { return };
    let server = Server::start(&lab, "", ROUTES);
    let body = "0123456789".repeat(6_000);
    let upload = format!("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    with_changing_queues(&lab, || {
        lab.client().enter(|| {
            let to = |n: usize| lab.addresses(80)[n % 2];
            let mut open: Vec<_> = (0..CONNECTIONS).map(|n| Connection::open(to(n)).expect("it listens")).collect();
            for round in 0..ROUNDS {
                for connection in &mut open {
                    connection.send(&CASES[0].request()).expect("it is open");
                }
                for connection in &mut open {
                    CASES[0].check(&connection.response().expect("an answer"));
                }
                let told = open[round % CONNECTIONS].exchange(upload.as_bytes()).expect("an answer");
                assert!(told.status == 200 && String::from_utf8_lossy(&told.body).contains(&body));
                // A new one each round: handshakes meet the changes, too.
                CASES[0].check(
                    &Connection::open(to(round)).expect("it listens").exchange(&CASES[0].request()).expect("it"),
                );
            }
        });
    });
    let taken_over = server.counter("ip", "rx_handed_over");
    println!("{taken_over} of {} packets came to the wrong queue", server.counter("tcp", "rx_segments"));
    assert!(taken_over > 100, "the queues hardly changed: {taken_over}");
    server.expect_counter("ip", "rx_handed_over", server.counter("ip", "rx_foreign"));
    nothing_went_wrong(&server);
    let shown: u64 = server.ask(&StatusRequest {}).workers.iter().map(|worker| worker.packets_taken_over).sum();
    assert!(shown >= taken_over, "status shows {shown}");
    let text = server.run_mgmt(&["status"]).success();
    assert!(text.contains("handed over"), "{text}");
}

/// No connection was reset, and no packet lost on its way between the workers.
fn nothing_went_wrong(server: &Server) {
    for name in ["reset_no_connection", "reset_received", "reset_timed_out", "drop_handed_over_twice", "flows_unlisted"]
    {
        assert_eq!(server.counter("tcp", name), 0, "{name}");
    }
    for name in ["drop_lane_full", "drop_no_buffer", "drop_handed_over_no_frame"] {
        assert_eq!(server.counter("worker", name), 0, "{name}");
    }
    assert_eq!(server.counter("ip", "drop_foreign_queue_full"), 0);
}
