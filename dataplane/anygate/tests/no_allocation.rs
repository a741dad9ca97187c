//! In steady state a worker allocates nothing for a fixed answer: received, parsed, routed, answered, sent
//! (invariant 3 of docs/ARCHITECTURE.md). Counted by the allocator while `Worker::turn` runs.

mod common;

use common::{Lab, TURN};
use netstack::tcp::ConnId;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    if COUNTING.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only thread-local cells.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise about `pointer`, `layout` and `size` is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SITE: &str = "server:\n  listen: [':80']\nroutes: |\n  GET /ok: OK\n  /old: 301 /new\n";

/// Asks on every connection, again and again, until there were `answers`; allocations count while the worker runs.
fn ask(lab: &mut Lab, conns: &[ConnId], request: &str, answers: usize) {
    conns.iter().for_each(|&conn| lab.send(conn, request));
    let mut answered = 0;
    for _ in 0..1_000_000 {
        lab.now += TURN;
        lab.client_turn();
        for &conn in conns {
            let received = lab.seen.get_mut(&conn).map(|seen| std::mem::take(&mut seen.received)).unwrap_or_default();
            if received.is_empty() {
                continue;
            }
            assert!(received.starts_with(b"HTTP/1.1 "), "each answer is one segment");
            answered += 1;
            if answered <= answers {
                lab.send(conn, request);
            }
        }
        COUNTING.set(true);
        lab.worker.turn(lab.now);
        COUNTING.set(false);
        if answered >= answers + conns.len() {
            return;
        }
    }
    panic!("only {answered} answers");
}

fn allocations_for(request: &str) -> u64 {
    let mut lab = Lab::new(SITE);
    let conns: Vec<ConnId> = (0..8).map(|_| lab.connect()).collect();
    // Long enough for every table, queue and pool to have grown to what this load needs.
    ask(&mut lab, &conns, request, 5_000);
    COUNT.set(0);
    ask(&mut lab, &conns, request, 10_000);
    COUNT.get()
}

#[test]
fn a_fixed_answer_allocates_nothing() {
    assert_eq!(allocations_for("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}

#[test]
fn neither_does_a_redirect_or_a_refusal() {
    assert_eq!(allocations_for("GET /old HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_eq!(allocations_for("GET /nothing/here HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}
