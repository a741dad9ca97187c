//! Fixed answers, literal redirects and refusals allocate nothing while the second lasts.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Server, request_head};
use proto::Header;

struct Counting;

thread_local! {
    // Of this thread only: the test harness has threads of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn immediate_answers_allocate_nothing() {
    let mut server = Server::new(&["/a: OK [X-A: b] {\"a\":1}", "/r: 301 /a", "POST /p: OK", "/s: ./dist/"]);
    let headers = [Header { name: "Host", value: b"h" }];
    let requests = [
        ("GET", "/a"),
        ("HEAD", "/a"),
        ("GET", "/r"),
        ("GET", "/p"),
        ("OPTIONS", "/p"),
        ("GET", "/s"),
        ("GET", "/none"),
        ("GET", "/%"),
    ];
    for round in 0..50 {
        let before = ALLOCATIONS.get();
        for (method, target) in requests {
            let head = request_head(method, target, "HTTP/1.1", &headers, 0);
            assert!(server.respond(&head, b"", true).starts_with(b"HTTP/1.1 "));
        }
        // The first two rounds finish each answer, which `Allow` answers do on their second use.
        assert!(round < 2 || ALLOCATIONS.get() == before, "round {round}");
    }
}
