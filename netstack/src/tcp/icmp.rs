//! ICMP errors about segments that were sent (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191, RFC 8201).

use core::net::SocketAddr;

use super::control_block::{Conn, flag};
use super::event::EndReason;
use super::segment::TIMESTAMPS;
use super::seq::Seq;
use super::shared::Shared;
use super::state::State;
use super::table::Entry;
use super::tuple::Tuple;
use super::{Ctx, Outcome, Tcp, lone, output, recovery_timer};
use crate::counters::TcpCounter;

/// What an ICMP message says about a segment of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IcmpErrorKind {
    /// It did not arrive; `hard` when that will not change (protocol, port, administratively prohibited).
    Unreachable {
        /// Not a passing condition.
        hard: bool,
    },
    /// It was too big for the path.
    PacketTooBig {
        /// The next hop's MTU in bytes; 0 when the router did not say (RFC 1191 §4).
        mtu: u16,
    },
}

/// An ICMP error with what it quotes of our segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// Source of the quoted segment: our end.
    pub local: SocketAddr,
    /// Destination of the quoted segment.
    pub remote: SocketAddr,
    /// Its sequence number.
    pub seq: u32,
    /// What happened to it.
    pub kind: IcmpErrorKind,
}

impl Tcp {
    /// An ICMP error about a segment of ours arrived. Answers with the worker whose segment it was, when that is not this
    /// one.
    pub fn handle_icmp_error(&mut self, ctx: &mut Ctx<'_>, error: IcmpError) -> Option<u16> {
        let tuple = Tuple::new(error.local.ip(), error.local.port(), error.remote.ip(), error.remote.port());
        let hash = self.shared.table.hash(&tuple);
        let found = self.shared.table.find(hash, |entry| match entry {
            Entry::Connection(index) => self.conns.at(index).is_some_and(|conn| conn.tuple == tuple),
            Entry::HalfOpen(_) | Entry::TimeWait(_) => false,
        });
        let Some(Entry::Connection(index)) = found else {
            let owner = self.shared.foreign_owner(&tuple);
            if owner.is_none() {
                self.shared.counters.bump(TcpCounter::DropIcmp);
            }
            return owner.filter(|_| !self.refuse_second_hand());
        };
        let conn = self.conns.at_mut(index)?;
        // RFC 5927 §4.1: only an error about what is in flight is believed.
        let seq = Seq(error.seq);
        if seq.before(conn.snd_una) || seq.at_or_after(conn.snd_nxt) {
            self.shared.counters.bump(TcpCounter::DropIcmp);
            return None;
        }
        let outcome = match error.kind {
            IcmpErrorKind::PacketTooBig { mtu } => {
                lower_mss(conn, index, mtu, &mut self.shared, ctx);
                Outcome::Keep
            }
            IcmpErrorKind::Unreachable { hard } => unreachable(conn, hard, &mut self.shared),
        };
        if outcome != Outcome::Keep {
            self.apply(index, outcome, ctx);
        }
        None
    }
}

/// RFC 9293 §3.9.2.2: a hard error ends an attempt to open. RFC 5461 §4: nothing else; an established connection
/// survives every error, and its timers decide.
fn unreachable(conn: &Conn, hard: bool, shared: &mut Shared) -> Outcome {
    if hard && matches!(conn.state, State::SynSent | State::SynReceived) {
        return Outcome::End(EndReason::Unreachable);
    }
    shared.counters.bump(TcpCounter::IcmpSoftErrors);
    Outcome::Keep
}

/// RFC 1191 §6.5, RFC 8201 §5.3: smaller segments from now on, and what was lost goes again at once.
fn lower_mss(conn: &mut Conn, index: u32, mtu: u16, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let v4 = conn.tuple.remote_ip().is_ipv4();
    let headers = if v4 { 40 } else { 60 };
    let present = output::path_mss(&conn.tuple, ctx).saturating_add(headers);
    // RFC 8201 §4: never below IPv6's minimum. For IPv4 a router that names no MTU gets RFC 1191's 576, and a floor
    // keeps forged messages from making segments tiny.
    let mtu = match (v4, mtu) {
        (true, 0) => 576,
        (true, mtu) => mtu.max(shared.config.min_mss.saturating_add(headers)),
        (false, mtu) => mtu.max(1280),
    };
    // Another connection may have learned of the path before: then it is this one's segments alone that are too big.
    let options = if conn.has(flag::TIMESTAMPS) { TIMESTAMPS as u16 } else { 0 };
    let sent = if conn.state.is_synchronized() { conn.mss.saturating_add(options + headers) } else { present };
    if mtu >= present.max(sent) {
        return shared.counters.bump(TcpCounter::DropIcmp);
    }
    let old = conn.mss;
    ctx.egress.note_path_mtu(ctx.now, conn.tuple.remote_ip(), mtu);
    conn.set_mss(mtu.min(present) - headers, shared.config.min_mss);
    if conn.mss >= old {
        return;
    }
    shared.counters.bump(TcpCounter::PathMtuLowered);
    if conn.outstanding() > 0
        && let Some(state) = shared.send.get_mut(conn.send).filter(|_| conn.state.is_synchronized())
    {
        lone::settle(conn, state, shared.rto);
        recovery_timer::on_smaller_segments(conn, state);
        shared.queue_transmit(conn, index);
    }
}
