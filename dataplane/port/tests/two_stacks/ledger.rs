//! What must be true when a run is over: the accounts of both stacks, both ports and the wire agree, and nothing is left.

use std::time::Duration;

use netstack::counters::{IpCounter, TcpCounter};
use port::{Port, PortCounter};

use crate::network::{Host, Network};
use crate::scenario::Scenario;

/// Longer than TIME-WAIT, SYN-ACK retransmissions and reassembly together.
const AFTERWARDS: Duration = Duration::from_secs(700);

/// Counters that no run may move: faults of the stack itself, or limits that these loads do not reach.
const NEVER: [TcpCounter; 8] = [
    TcpCounter::DropNotUnicast,
    TcpCounter::DropNoFrame,
    TcpCounter::DropEgress,
    TcpCounter::DropReceiveMemory,
    TcpCounter::DropAcceptQueue,
    TcpCounter::EndTimedOut,
    TcpCounter::EndUnread,
    TcpCounter::ResetAborted,
];

pub fn check(network: &mut Network, scenario: &Scenario) -> Result<String, String> {
    network.settle(AFTERWARDS)?;
    if network.wire().in_flight() != 0 {
        return Err("frames are under way after everything is over".into());
    }
    let jobs = scenario.jobs.len() as u64;
    let [client, server] = &network.hosts;
    for (name, host, opened) in
        [("client", client, TcpCounter::OpenActive), ("server", server, TcpCounter::OpenPassive)]
    {
        nothing_left(host).map_err(|reason| format!("{name}: {reason}"))?;
        account(host, jobs, opened).map_err(|reason| format!("{name}: {reason}"))?;
    }
    carried(client, server).map_err(|reason| format!("from client to server: {reason}"))?;
    carried(server, client).map_err(|reason| format!("from server to client: {reason}"))?;
    let sum = |which| client.stack.tcp_counters().get(which) + server.stack.tcp_counters().get(which);
    Ok(format!(
        "{jobs} connections, {} bytes, {} segments, {} retransmitted, {} recoveries, {} timeouts, over at {:?}",
        sum(TcpCounter::RxBytes),
        sum(TcpCounter::TxSegments),
        sum(TcpCounter::TxRetransmits),
        sum(TcpCounter::FastRecoveries),
        sum(TcpCounter::Timeouts),
        network.now
    ))
}

fn nothing_left(host: &Host) -> Result<(), String> {
    let connections = host.stack.connection_count();
    if connections != 0 {
        return Err(format!("{connections} connections are left"));
    }
    let pool = host.port.pool();
    if pool.available() != pool.capacity() {
        return Err(format!("frames leaked: {pool:?}"));
    }
    Ok(())
}

/// Every connection was opened and closed once, and received what was sent.
fn account(host: &Host, jobs: u64, opened: TcpCounter) -> Result<(), String> {
    let tcp = host.stack.tcp_counters();
    for which in NEVER {
        if tcp.get(which) != 0 {
            return Err(format!("{} is {}", which.name(), tcp.get(which)));
        }
    }
    for which in [TcpCounter::Established, TcpCounter::Closed] {
        if tcp.get(which) != jobs {
            return Err(format!("{} is {} after {jobs} connections", which.name(), tcp.get(which)));
        }
    }
    // An old SYN that comes again opens once more, to no effect.
    if tcp.get(opened) < jobs {
        return Err(format!("{} is {} after {jobs} connections", opened.name(), tcp.get(opened)));
    }
    let streams = host.application.streams.values();
    let received: u64 = streams.map(|(_, stream)| stream.received as u64).sum();
    if tcp.get(TcpCounter::RxBytes) != received {
        return Err(format!("rx_bytes is {} and {received} were consumed", tcp.get(TcpCounter::RxBytes)));
    }
    Ok(())
}

/// What one side sent is what the wire did with it and the other side received.
fn carried(from: &Host, to: &Host) -> Result<(), String> {
    let (sender, receiver) = (from.port.counters(), to.port.counters());
    let sent = sender.get(PortCounter::TxFrames) + sender.get(PortCounter::WireDuplicated);
    let reasons = [PortCounter::DropWireLoss, PortCounter::DropWireBufferFull, PortCounter::DropTxLinkDown];
    let lost: u64 = reasons.into_iter().map(|which| sender.get(which)).sum();
    let received = receiver.get(PortCounter::RxFrames);
    if sent - lost != received || receiver.get(PortCounter::DropRxNoFrame) != 0 {
        return Err(format!("{sent} frames sent, {lost} lost, {received} received"));
    }
    let (stack_sent, stack_received) = (from.stack.ip_counters(), to.stack.ip_counters());
    if stack_sent.get(IpCounter::TxFrames) != sender.get(PortCounter::TxFrames) {
        return Err(format!("the stack sent {} frames", stack_sent.get(IpCounter::TxFrames)));
    }
    if stack_received.get(IpCounter::RxFrames) != received {
        return Err(format!("the stack received {} of {received} frames", stack_received.get(IpCounter::RxFrames)));
    }
    // Damage is found: nothing corrupted was taken for good (the bytes themselves are checked by the application).
    let corrupted = sender.get(PortCounter::WireCorrupted);
    let tcp = to.stack.tcp_counters();
    if corrupted == 0 && tcp.get(TcpCounter::DropChecksum) + tcp.get(TcpCounter::DropMalformed) != 0 {
        return Err("damaged segments over a wire that does not corrupt".into());
    }
    Ok(())
}
