//! Lookups allocate nothing: the whole process is counted.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use router::{Found, Method, Params};

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
fn find_allocates_nothing() {
    let mut lines: Vec<String> = (0..1000).map(|n| format!("GET /s{n}/:id/x/*rest: OK {n}")).collect();
    lines.push("/plain: OK".to_owned());
    let router = common::compile(&[
        common::group(&[], "", 1, &lines),
        common::group(&["*.example.org", "[::1]"], "", 2000, &["/h/:x: OK"]),
    ]);
    let requests = [
        (Method::Get, None, "/plain"),
        (Method::Get, None, "/s500/7/x/y/z"),
        (Method::Get, Some("www.Example.org:80"), "/h/1"),
        (Method::Get, Some("[0::1]:80"), "/h/1"),
        (Method::Get, None, "/s1//%41/../7/x/"),
        (Method::Post, None, "/s1/7/x/"),
        (Method::Options, None, "/s1/7/x/"),
        (Method::Get, None, "/none/at/all"),
        (Method::Get, None, "/bad%"),
    ];
    let mut params = Params::new();
    // The first round grows the storage for paths that are rewritten.
    for round in 0..100 {
        let before = ALLOCATIONS.get();
        for (method, host, path) in requests {
            let found = router.find(method, host, path, &mut params);
            assert!(!matches!(found, Found::Rule(_)) || params.path(path).starts_with('/'));
        }
        assert!(round == 0 || ALLOCATIONS.get() == before, "round {round}");
    }
}
