//! In steady state a request that arrives in one piece and its answer allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use proto::h1::encode::{BodyLength, ResponseHead, response_head};
use proto::h1::{After, Event, HeaderSlots, Limits, Server};
use proto::{HttpDate, Instant, Status, Version};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to `System` unchanged; the counter is a thread-local `Cell` that allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and the block came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `realloc`'s contract, and the block came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests of every shape whose head is in one piece: pipelined, with a body by length and by chunks, refused by none.
const REQUESTS: &[u8] = b"GET /fastest/ever/ok HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n\
    POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
    POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

#[test]
fn a_request_and_its_answer_allocate_nothing() {
    let limits = Limits::default();
    let now = Instant::from_nanos(1);
    let date = HttpDate::from_unix(0);
    let mut server = Server::new(now);
    let mut out = Vec::with_capacity(4096);

    let before = ALLOCATIONS.get();
    let mut answered = 0;
    for _ in 0..1000 {
        out.clear();
        let mut at = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = server.handle_bytes(now, &limits, &mut slots, &REQUESTS[at..]);
            at += step.consumed;
            let complete = match step.event {
                Event::NeedMore => break,
                Event::Request(head) => !head.framing.has_body(),
                Event::End { .. } => true,
                Event::Body(_) => false,
                Event::Refuse(_) | Event::Close(_) => panic!("the requests are good"),
            };
            if complete {
                answer(&mut out, &date);
                assert_eq!(server.response_sent(now, &limits, false), After::KeepAlive);
                answered += 1;
            }
            std::hint::black_box(server.poll_timeout(&limits));
        }
        assert_eq!(at, REQUESTS.len());
    }
    assert_eq!(answered, 3000);
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

fn answer(out: &mut Vec<u8>, date: &HttpDate) {
    let head = ResponseHead {
        status: Status::OK,
        version: Version::Http11,
        head_request: false,
        keep_alive: true,
        date: Some(date),
        server: Some("anygate"),
        content_type: Some("text/plain"),
        body: BodyLength::Known(3),
        headers: &[("X-A", b"1")],
    };
    response_head(out, &head).expect("encodes");
    out.extend_from_slice(b"ok\n");
}
