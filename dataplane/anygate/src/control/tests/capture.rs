//! Captures: whole streams, limits, readers that leave or dawdle.

use super::fake::{Fake, Scratch, frame, section, wait_until};
use mgmt_api::capture::pcapng::Meter;
use mgmt_api::*;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn setup() -> (Scratch, Arc<Fake>) {
    (Scratch::new(), Arc::new(Fake::default()))
}

fn metered(bytes: &[u8]) -> (u64, u64) {
    let mut meter = Meter::default();
    meter.feed(bytes);
    (meter.packets(), meter.lost())
}

#[test]
fn the_stream_is_what_the_source_gave_and_its_figures() {
    let (scratch, backend) = setup();
    let _server = scratch.serve(&backend);
    let request = CaptureRequest { max_packets: Some(4), ..CaptureRequest::default() };
    let (reply, mut stream) = scratch.client().capture(&request).unwrap();
    assert_eq!(reply.interfaces, ["eth0"]);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let given: Vec<u8> = section().into_iter().chain((0..4).flat_map(frame)).collect();
    assert_eq!(&bytes[..given.len()], &given[..]);
    assert_eq!(metered(&bytes), (4, 3));
    wait_until("the source is dropped", || backend.captures.dropped.load(Ordering::SeqCst) == 1);
    assert!(backend.audited("capture of eth0"));
}

#[test]
fn limits_cut_between_blocks() {
    let (scratch, backend) = setup();
    backend.captures.flood.store(true, Ordering::Relaxed);
    let _server = scratch.serve(&backend);
    let head = section().len() as u64;
    let each = frame(0).len() as u64;
    for (request, packets) in [
        (CaptureRequest { max_packets: Some(70), ..CaptureRequest::default() }, 70),
        (CaptureRequest { max_bytes: Some(head + 3 * each + 1), ..CaptureRequest::default() }, 3),
        (CaptureRequest { max_bytes: Some(head), ..CaptureRequest::default() }, 0),
    ] {
        let mut bytes = Vec::new();
        scratch.client().capture(&request).unwrap().1.read_to_end(&mut bytes).unwrap();
        assert_eq!(metered(&bytes), (packets, 3));
    }
    let mut bytes = Vec::new();
    let tiny = CaptureRequest { max_bytes: Some(1), ..CaptureRequest::default() };
    scratch.client().capture(&tiny).unwrap().1.read_to_end(&mut bytes).unwrap();
    assert!(bytes.is_empty());
}

#[test]
fn time_ends_an_idle_capture() {
    let (scratch, backend) = setup();
    let _server = scratch.serve(&backend);
    let request = CaptureRequest { max_milliseconds: Some(200), ..CaptureRequest::default() };
    let mut bytes = Vec::new();
    scratch.client().capture(&request).unwrap().1.read_to_end(&mut bytes).unwrap();
    assert_eq!(metered(&bytes), (10, 3));
}

#[test]
fn frames_come_at_once_and_a_stopped_capture_ends_in_order() {
    let (scratch, backend) = setup();
    let _server = scratch.serve(&backend);
    let (_, mut stream) = scratch.client().capture(&CaptureRequest::default()).unwrap();
    let mut first = vec![0; section().len() + 10 * frame(0).len()];
    stream.read_exact(&mut first).unwrap();
    stream.stopper().unwrap().stop().unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(metered(&rest), (0, 3));
}

#[test]
fn a_killed_reader_ends_its_capture() {
    let (scratch, backend) = setup();
    backend.captures.flood.store(true, Ordering::Relaxed);
    let server = scratch.serve(&backend);
    drop(scratch.client().capture(&CaptureRequest::default()).unwrap());
    wait_until("the source is dropped", || backend.captures.dropped.load(Ordering::SeqCst) == 1);
    wait_until("the session ended", || server.sessions() == 0);
}

#[test]
fn a_slow_reader_holds_up_its_own_session_only() {
    let (scratch, backend) = setup();
    backend.captures.flood.store(true, Ordering::Relaxed);
    let _server = scratch.serve(&backend);
    let (_, mut stream) = scratch.client().capture(&CaptureRequest::default()).unwrap();
    // The socket buffer fills; nothing more is taken from the source, which is where frames are lost and counted.
    let produced = || backend.captures.produced.load(Ordering::Relaxed);
    let mut before = u64::MAX;
    while before != produced() {
        before = produced();
        std::thread::sleep(Duration::from_millis(100));
    }
    scratch.client().call(&StatusRequest {}).unwrap();
    stream.stopper().unwrap().stop().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert!(metered(&bytes).0 >= before);
    assert_eq!(metered(&bytes).1, 3);
}

#[test]
fn a_shut_down_server_ends_captures_in_order_also_stuck_ones() {
    let (scratch, backend) = setup();
    let server = scratch.serve(&backend);
    let (_, mut idle) = scratch.client().capture(&CaptureRequest::default()).unwrap();
    wait_until("all is sent", || backend.captures.produced.load(Ordering::Relaxed) == 10);
    backend.captures.flood.store(true, Ordering::Relaxed);
    let (_, stuck) = scratch.client().capture(&CaptureRequest::default()).unwrap();
    server.shutdown();
    let mut bytes = Vec::new();
    let reader = std::thread::spawn(move || idle.read_to_end(&mut bytes).map(|_| bytes));
    drop(stuck);
    assert_eq!(metered(&reader.join().unwrap().unwrap()).1 % 3, 0);
    wait_until("both sources are dropped", || backend.captures.dropped.load(Ordering::SeqCst) == 2);
}

#[test]
fn a_refused_capture_leaves_the_session_usable() {
    let (scratch, backend) = setup();
    let _server = scratch.serve(&backend);
    let request = CaptureRequest { interface: Some("none".into()), ..CaptureRequest::default() };
    let mut client = scratch.client();
    let Err(ClientError::Refused(error)) = client.call(&request) else { panic!("accepted") };
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    client.call(&StatusRequest {}).unwrap();
}
