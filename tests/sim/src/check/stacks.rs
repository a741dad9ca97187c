//! What must hold inside of a stack between any two calls.

use std::time::Duration;

use netstack::Instant;
use netstack::stack::Stack;
use netstack::tcp::{ConnInfo, TcpConfig};

use crate::fault::{Fault, Invariant};
use crate::scenario::Scenario;

/// Timers are looked at no later than this after they are due.
const SLACK: Duration = Duration::from_millis(50);
/// Bytes that applications send at once at most.
const LARGEST_SEND: u32 = 1 << 16;
/// Connections that are looked at one by one at most.
const LOOKED_AT: usize = 64;

/// Audits a stack and checks the bounds of its connections.
pub fn check(now: Instant, stack: &Stack, scenario: &Scenario, side: usize) -> Result<(), Fault> {
    stack.tcp().audit().map_err(|text| Invariant::Audit.fault(text))?;
    let config = &scenario.tcp[side];
    for info in stack.connections(0, LOOKED_AT) {
        // A connection's own options count, where it has any.
        let options = scenario.jobs.get(info.token as usize).map(|job| job.options).unwrap_or_default();
        let buffers = Buffers {
            receive: options
                .receive_buffer
                .unwrap_or_default()
                .max(config.receive_buffer)
                .max(config.receive_buffer_max),
            send: options.send_buffer.unwrap_or_default().max(config.send_buffer).max(config.send_buffer_max),
        };
        bounds(now, &info, config, buffers).map_err(|text| Invariant::Bounds.fault(format!("{text}: {info:?}")))?;
    }
    Ok(())
}

/// Bytes that a connection may hold.
struct Buffers {
    receive: u32,
    send: u32,
}

fn bounds(now: Instant, info: &ConnInfo, config: &TcpConfig, buffers: Buffers) -> Result<(), String> {
    let within = |at: Option<Instant>, most: Duration| at.is_none_or(|at| at <= now + most + SLACK);
    if !within(info.retransmit_at, config.rto_max) {
        return Err("the retransmission timer is beyond its longest".into());
    }
    if !within(info.delayed_ack_at, config.delayed_ack) {
        return Err("an acknowledgment is delayed for too long".into());
    }
    let mss = u32::from(info.mss);
    if info.cwnd < mss || info.cwnd > 1 << 30 {
        return Err("the congestion window is out of bounds".into());
    }
    // The scale rounds the window up.
    let limit = buffers.receive + u32::from(u16::MAX);
    if info.recv_queued + info.out_of_order > limit {
        return Err(format!("more than {limit} bytes are held"));
    }
    // One call may go beyond.
    if info.send_queued > buffers.send + LARGEST_SEND {
        return Err("more is queued than the send buffer takes".into());
    }
    Ok(())
}
