//! Slow and silent peers, in virtual time.

use core::time::Duration;

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

struct Script {
    server: Server,
    limits: Limits,
}

impl Script {
    fn new() -> Script {
        Script { server: Server::new(at(0)), limits: Limits::default() }
    }

    fn send(&mut self, seconds: u64, bytes: &[u8]) {
        let mut done = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = self.server.handle_bytes(at(seconds), &self.limits, &mut slots, &bytes[done..]);
            done += step.consumed;
            if matches!(step.event, Event::NeedMore) {
                return;
            }
        }
    }

    /// The deadline is at `seconds` exactly: not a moment before, and then it says `expected`.
    fn expires(mut self, seconds: u64, expected: Timeout) {
        assert_eq!(self.server.poll_timeout(&self.limits), Some(at(seconds)));
        let before = Instant::from_nanos(at(seconds).as_nanos() - 1);
        assert_eq!(self.server.handle_timeout(before, &self.limits), None);
        assert_eq!(self.server.handle_timeout(at(seconds), &self.limits), Some(expected));
        assert!(self.server.is_closed());
        assert_eq!(self.server.handle_timeout(at(seconds + 1000), &self.limits), None);
    }
}

#[test]
fn a_silent_connection_is_closed() {
    Script::new().expires(75, Timeout::CloseIdle);
}

#[test]
fn empty_lines_do_not_restart_the_idle_deadline() {
    let mut script = Script::new();
    script.send(70, b"\r\n");
    script.expires(75, Timeout::CloseIdle);
}

#[test]
fn a_trickled_head_has_ten_seconds_from_its_first_byte() {
    let mut script = Script::new();
    for (second, byte) in b"GET / HTTP".iter().enumerate() {
        script.send(20 + second as u64, &[*byte]);
    }
    script.expires(30, Timeout::Answer408(Refusal::HeadTimeout));
}

#[test]
fn no_deadline_of_the_peers_while_the_answer_is_due() {
    let mut script = Script::new();
    script.send(1, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(script.server.poll_timeout(&script.limits), None);
    assert_eq!(script.server.response_sent(at(50), &script.limits, false), After::KeepAlive);
    script.expires(125, Timeout::CloseIdle);
}

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

#[test]
fn a_pause_in_the_body() {
    let mut script = Script::new();
    script.send(1, POST);
    script.send(20, &[b'x'; 90_000]); // the rate allows much more time than the pause does
    script.expires(50, Timeout::Answer408(Refusal::BodyTimeout));
}

#[test]
fn a_trickled_body_is_held_to_its_rate() {
    let mut script = Script::new();
    script.send(0, POST);
    for second in (20..=40).step_by(10) {
        script.send(second, &[b'x'; 1_000]); // 3,000 bytes earn 12 s
    }
    script.expires(42, Timeout::Answer408(Refusal::BodyTimeout));
}

#[test]
fn without_a_rate_only_pauses_count() {
    let mut script = Script::new();
    script.limits.body_rate = 0;
    script.send(0, POST);
    for second in (20..=2000).step_by(20) {
        script.send(second, b"x");
    }
    script.expires(2030, Timeout::Answer408(Refusal::BodyTimeout));
}

#[test]
fn backpressure_is_not_the_peers_fault() {
    let mut script = Script::new();
    script.send(0, POST);
    script.server.pause_body(at(10));
    script.server.pause_body(at(20));
    assert_eq!(script.server.poll_timeout(&script.limits), None);
    script.server.resume_body(at(1010));
    script.server.resume_body(at(1020));
    script.expires(1030, Timeout::Answer408(Refusal::BodyTimeout));
}

#[test]
fn a_drained_body_closes_without_an_answer() {
    let mut script = Script::new();
    script.send(0, POST);
    assert_eq!(script.server.response_sent(at(5), &script.limits, false), After::DrainBody);
    script.expires(35, Timeout::CloseSlowBody);
}

#[test]
fn a_peer_that_reads_nothing() {
    let mut script = Script::new();
    script.send(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    script.server.write_progress(at(1));
    assert_eq!(script.server.response_sent(at(2), &script.limits, false), After::KeepAlive);
    script.server.write_progress(at(200)); // far beyond the idle timeout, but it reads
    script.expires(230, Timeout::CloseSlowWrite);
}

#[test]
fn idle_counts_from_the_delivery() {
    let mut script = Script::new();
    script.send(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    script.server.write_progress(at(1));
    assert_eq!(script.server.response_sent(at(2), &script.limits, false), After::KeepAlive);
    script.server.write_idle(at(20));
    script.server.write_idle(at(30));
    script.expires(95, Timeout::CloseIdle);
}

#[test]
fn endless_limits_do_not_overflow() {
    let mut script = Script::new();
    script.limits.idle_timeout = Duration::MAX;
    script.limits.head_timeout = Duration::MAX;
    assert_eq!(script.server.poll_timeout(&script.limits), Some(Instant::FAR_FUTURE));
    script.send(5, b"G");
    assert_eq!(script.server.handle_timeout(at(1_000_000_000), &script.limits), None);
}
