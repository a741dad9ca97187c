//! What must be true when a run is over: the accounts of the stacks, the ports and the wire agree, and nothing is left.

use netstack::counters::{IpCounter, TcpCounter};
use port::{Port, PortCounter, PortCounters};

use crate::fault::{Fault, Invariant};
use crate::scenario::{CLIENT, NAMES, SERVER};
use crate::world::{Ended, Worker, World};

/// Counters that no run of honest hosts may move: faults of the stack itself.
const NEVER: [TcpCounter; 3] = [TcpCounter::DropNotUnicast, TcpCounter::DropNoFrame, TcpCounter::DropEgress];

/// Counters that no run moves in which nobody aborts, and everybody is honest.
const NEVER_IN_PEACE: [TcpCounter; 4] =
    [TcpCounter::DropReceiveMemory, TcpCounter::EndTimedOut, TcpCounter::EndUnread, TcpCounter::ResetAborted];

/// Frames that a path loses.
const LOST: [PortCounter; 6] = [
    PortCounter::DropWireLoss,
    PortCounter::DropWireBufferFull,
    PortCounter::DropWireThinned,
    PortCounter::DropWireOutage,
    PortCounter::DropWireTooBig,
    PortCounter::DropTxLinkDown,
];

/// Checks everything; the run is over.
pub fn check(world: &World<'_>) -> Result<(), Fault> {
    let leak = |holds, text: &str| Invariant::Leak.check(holds, || text.to_owned());
    leak(world.wire().in_flight() == 0, "frames are under way after everything is over")?;
    leak(world.jobs.left == 0, "a connection was accepted after everything was over")?;
    for worker in world.workers() {
        worker.complaint()?;
        nothing_left(worker).and_then(|()| account(worker, world)).map_err(|fault| fault.at(NAMES[worker.side]))?;
    }
    peace(world)?;
    carried(world, CLIENT, SERVER)?;
    carried(world, SERVER, CLIENT)
}

fn nothing_left(worker: &Worker) -> Result<(), Fault> {
    let tcp = worker.stack.tcp();
    let left = [
        ("connections", tcp.connection_count()),
        ("half-open connections", tcp.half_open_count()),
        ("connections in TIME-WAIT", tcp.time_wait_count()),
        ("receive states", tcp.pooled_states().0),
        ("send states", tcp.pooled_states().1),
        ("timers", usize::from(tcp.poll_timeout().is_some())),
        ("frames", worker.port.pool().capacity() - worker.port.pool().available()),
    ];
    for (name, count) in left {
        Invariant::Leak.check(count == 0, || format!("{count} {name} are left"))?;
    }
    Ok(())
}

/// What the counters say is what happened.
fn account(worker: &Worker, world: &World<'_>) -> Result<(), Fault> {
    let tcp = worker.stack.tcp_counters();
    let peaceful = world.scenario.is_peaceful();
    let honest = world.scenario.liars.is_empty();
    let never = NEVER.iter().filter(|_| honest).chain(NEVER_IN_PEACE.iter().filter(|_| peaceful));
    for which in never {
        Invariant::Ledger.check(tcp.get(*which) == 0, || format!("{} is {}", which.name(), tcp.get(*which)))?;
    }
    let (port, ip) = (worker.port.counters(), worker.stack.ip_counters());
    let frames = [
        ("received", port.get(PortCounter::RxFrames), ip.get(IpCounter::RxFrames) + worker.taken_by_liars()),
        ("sent", port.get(PortCounter::TxFrames), ip.get(IpCounter::TxFrames) + worker.sent_by_liars()),
        ("without a frame to receive them", port.get(PortCounter::DropRxNoFrame), 0),
    ];
    for (name, port, stack) in frames {
        Invariant::Ledger
            .check(port == stack, || format!("frames {name}: {port} by the port, {stack} by the stack"))?;
    }
    Ok(())
}

/// Without aborts and liars every connection was opened and closed once, and received what was sent.
fn peace(world: &World<'_>) -> Result<(), Fault> {
    if !world.scenario.is_peaceful() {
        return Ok(());
    }
    let jobs = world.scenario.jobs.len() as u64;
    for side in [CLIENT, SERVER] {
        let sum = |which| world.sides[side].iter().map(|worker| worker.stack.tcp_counters().get(which)).sum::<u64>();
        for which in [TcpCounter::Established, TcpCounter::Closed] {
            Invariant::Ledger.check(sum(which) == jobs, || {
                format!("{}: {} is {} after {jobs} connections", NAMES[side], which.name(), sum(which))
            })?;
        }
        let received: u64 = world.jobs.streams.iter().map(|streams| streams[side].received).sum();
        Invariant::Ledger.check(sum(TcpCounter::RxBytes) == received, || {
            format!("{}: rx_bytes is {}, and {received} were read", NAMES[side], sum(TcpCounter::RxBytes))
        })?;
        let ended = world.jobs.streams.iter().all(|streams| matches!(streams[side].ended, Some(Ended::Event(_))));
        Invariant::Endings.check(ended, || format!("{}: not every connection ended by itself", NAMES[side]))?;
    }
    Ok(())
}

/// What one side sent is what the wire did with it and the other side received.
fn carried(world: &World<'_>, from: usize, to: usize) -> Result<(), Fault> {
    let wire = world.link_counters(from);
    let sum =
        |side: usize, which| world.sides[side].iter().map(|worker| worker.port.own_counters().get(which)).sum::<u64>();
    let count = |counters: &PortCounters, which| counters.get(which);
    let sent = sum(from, PortCounter::TxFrames)
        + count(&wire, PortCounter::WireDuplicated)
        + count(&wire, PortCounter::WireInjected);
    let lost: u64 = LOST.into_iter().map(|which| count(&wire, which) + sum(from, which)).sum();
    let received = sum(to, PortCounter::RxFrames);
    Invariant::Ledger.check(sent - lost == received, || {
        format!("from {} to {}: {sent} frames sent, {lost} lost, {received} received", NAMES[from], NAMES[to])
    })?;
    // Damage is found: nothing corrupted was taken for good (the bytes themselves are checked by the application).
    let damaged = |worker: &Worker| {
        let tcp = worker.stack.tcp_counters();
        tcp.get(TcpCounter::DropChecksum) + tcp.get(TcpCounter::DropMalformed)
    };
    let found: u64 = world.sides[to].iter().map(damaged).sum();
    let honest = world.scenario.liars.is_empty();
    Invariant::Ledger.check(!honest || found <= 2 * count(&wire, PortCounter::WireCorrupted), || {
        format!("{}: {found} damaged segments over a wire that did not damage as many", NAMES[to])
    })
}
