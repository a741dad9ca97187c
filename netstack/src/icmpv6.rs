//! ICMPv6 (RFC 4443): echo, errors both ways, and the door to neighbour discovery and multicast listener discovery.

use core::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{Icmpv6DstUnreachable, Icmpv6Message, Icmpv6Packet, Icmpv6ParamProblem};

use crate::counters::IpCounter;
use crate::frame::Frame;
use crate::icmp::{self, ErrorKind, QuotedError};
use crate::ip::ipv6::{ParameterProblem, Upper};
use crate::ip::{Egress, IpMeta, checksum, ipv6, protocol};
use crate::time::Instant;
use crate::{mld, ndp};

const HEADER_LEN: usize = 8;
/// An error fits the minimum MTU (RFC 4443 §2.4(c)).
const MAX_QUOTE: usize = 1280 - ipv6::HEADER_LEN - HEADER_LEN;

/// The IPv6 facts of a packet that [`IpMeta`] does not hold.
#[derive(Clone, Copy)]
pub(crate) struct Addressed {
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
    pub hop_limit: u8,
}

/// Handles an ICMPv6 message: `frame` begins with the IPv6 header, the message lies at `at`. Returns an error about one
/// of our packets, to be told to its transport, with the frame.
pub(crate) fn handle(
    egress: &mut Egress,
    now: Instant,
    meta: &IpMeta,
    addressed: Addressed,
    frame: Frame,
    at: usize,
) -> Result<Option<(QuotedError, Frame)>, IpCounter> {
    let message = frame.data().get(at..).ok_or(IpCounter::DropIcmpMalformed)?;
    if message.len() < 4 {
        return Err(IpCounter::DropIcmpMalformed);
    }
    if !checksum::verify_transport(meta.src, meta.dst, protocol::ICMPV6, message, 2, frame.rx_checksum) {
        return Err(IpCounter::DropIcmpChecksum);
    }
    let kind = Icmpv6Message::from(message[0]);
    if kind.is_ndisc() {
        let envelope = ndp::Envelope {
            src: addressed.src,
            dst: addressed.dst,
            hop_limit: addressed.hop_limit,
            mac: meta.ingress_mac,
        };
        return ndp::handle(egress, now, envelope, message).map(|()| None);
    }
    if addressed.src.is_unspecified() {
        return Err(IpCounter::DropIpv6SourceMartian);
    }
    if kind == Icmpv6Message::MldQuery {
        return mld::handle_query(egress, now, addressed.src, addressed.hop_limit).map(|()| None);
    }
    if !kind.is_error() && kind != Icmpv6Message::EchoRequest {
        return Err(IpCounter::DropIcmpType);
    }
    let packet = Icmpv6Packet::new_checked(message).map_err(|_| IpCounter::DropIcmpMalformed)?;
    let code = packet.msg_code();
    let error = match kind {
        Icmpv6Message::EchoRequest => return handle_echo(egress, now, meta, frame, at).map(|()| None),
        // RFC 8201 §4: never below the minimum MTU.
        Icmpv6Message::PktTooBig => {
            ErrorKind::PacketTooBig { mtu: packet.pkt_too_big_mtu().clamp(1280, u32::from(u16::MAX)) as u16 }
        }
        // RFC 5461 §2: prohibited and port unreachable are hard, and an unknown next header.
        Icmpv6Message::DstUnreachable => {
            let code = Icmpv6DstUnreachable::from(code);
            let hard = matches!(code, Icmpv6DstUnreachable::AdminProhibit | Icmpv6DstUnreachable::PortUnreachable);
            ErrorKind::Unreachable { hard }
        }
        Icmpv6Message::ParamProblem => {
            ErrorKind::Unreachable { hard: Icmpv6ParamProblem::from(code) == Icmpv6ParamProblem::UnrecognizedNxtHdr }
        }
        _ => ErrorKind::Unreachable { hard: false },
    };
    let quote = message.get(HEADER_LEN..).and_then(quoted_ports).ok_or(IpCounter::DropIcmpQuote)?;
    icmp::accept_quote(egress, QuotedError { kind: error, ..quote }).map(|error| Some((error, frame)))
}

/// Addresses and ports of the quoted IPv6 packet, which may be cut short.
fn quoted_ports(quote: &[u8]) -> Option<QuotedError> {
    let head = quote.first_chunk::<{ ipv6::HEADER_LEN }>()?;
    if head[0] >> 4 != 6 {
        return None;
    }
    let address = |at: usize| head[at..].first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)));
    let (protocol, at) = match ipv6::walk(quote, head[6], ipv6::HEADER_LEN, false).ok()? {
        Upper::Payload { protocol, offset, .. } => (protocol, offset),
        Upper::Fragment(fragment) if fragment.offset == 0 => (fragment.next_header, fragment.payload),
        Upper::Fragment(_) => return None,
    };
    icmp::transport_quote(protocol, address(8)?, address(24)?, quote.get(at..)?)
}

fn handle_echo(egress: &mut Egress, now: Instant, meta: &IpMeta, frame: Frame, at: usize) -> Result<(), IpCounter> {
    let mut reply = icmp::begin_echo_reply(egress, now, frame, at, ipv6::HEADER_LEN)?;
    // RFC 4443 §4.2: a request to a group is answered from a unicast address.
    let src = if egress.is_local(meta.dst) { Some(meta.dst) } else { egress.select_source(meta.src) };
    let src = src.ok_or(IpCounter::DropNoRoute)?;
    let out = reply.data_mut();
    out[0] = u8::from(Icmpv6Message::EchoReply);
    checksum::fill_transport(src, meta.src, protocol::ICMPV6, out, 2, false);
    icmp::send_echo_reply(egress, now, meta, src, protocol::ICMPV6, reply)
}

/// The ICMPv6 errors that we send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    PortUnreachable,
    ReassemblyTimeout,
    ParameterProblem(ParameterProblem),
}

/// Sends an error about `packet`, which begins with its IPv6 header and is no ICMPv6 error. Nothing is sent about a
/// packet to a group (RFC 4443 §2.4(e.3)), but for the options that ask for it, nor to the unspecified address.
pub(crate) fn send_error(egress: &mut Egress, now: Instant, meta: &IpMeta, packet: &[u8], report: Report) {
    let (kind, code, word) = match report {
        Report::PortUnreachable => (1, 4, 0),
        Report::ReassemblyTimeout => (3, 1, 0),
        Report::ParameterProblem(problem) => (4, problem.code, problem.pointer),
    };
    let even_multicast = matches!(report, Report::ParameterProblem(problem) if problem.even_multicast);
    if meta.src.is_unspecified() || (meta.dst.is_multicast() && !even_multicast) {
        return;
    }
    let quote = packet.get(..packet.len().min(MAX_QUOTE)).unwrap_or(packet);
    let Some(mut frame) = icmp::begin_error(egress, now, quote) else { return };
    let src = if egress.is_local(meta.dst) { Some(meta.dst) } else { egress.select_source(meta.src) };
    let Some(src) = src else { return };
    let out = frame.data_mut();
    out[..2].copy_from_slice(&[kind, code]);
    out[4..8].copy_from_slice(&word.to_be_bytes());
    checksum::fill_transport(src, meta.src, protocol::ICMPV6, out, 2, false);
    icmp::finish_error(egress, now, meta, protocol::ICMPV6, frame);
}
