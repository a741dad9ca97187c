//! ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2), and what both versions share: the packet quoted in an error, echo replies
//! made in the frame of the request, and errors sent.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use smoltcp::wire::{Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet};

use crate::counters::IpCounter;
use crate::frame::Frame;
use crate::ip::egress::IpHeader;
use crate::ip::{Egress, IpMeta, PathCache, checksum, ipv4, protocol};
use crate::time::Instant;

/// Bytes of every ICMP header that we send or read.
const HEADER_LEN: usize = 8;
/// The most of an IPv4 packet that an error quotes: with its own headers at most 576 bytes (RFC 1812 §4.3.2.3).
const MAX_QUOTE: usize = 576 - ipv4::HEADER_LEN - HEADER_LEN;

/// What an ICMP error says of a packet that we sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// It was not delivered.
    Unreachable {
        /// The peer's host said so itself (port or protocol unreachable): trying again is of no use (RFC 1122 §4.2.3.9).
        hard: bool,
    },
    /// A router could not forward it.
    PacketTooBig {
        /// The largest packet it would have forwarded, in bytes.
        mtu: u16,
    },
}

/// An ICMP error and the packet of ours that it quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotedError {
    /// TCP or UDP.
    pub protocol: u8,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// For TCP, the sequence number of the quoted segment.
    pub seq: u32,
    /// What happened to it.
    pub kind: ErrorKind,
}

/// Handles an ICMPv4 message: `frame` begins with the IP header, the message lies at `at`. Returns an error about one of
/// our packets, to be told to its transport, with the frame.
pub(crate) fn handle(
    egress: &mut Egress,
    now: Instant,
    meta: &IpMeta,
    frame: Frame,
    at: usize,
) -> Result<Option<(QuotedError, Frame)>, IpCounter> {
    let message = frame.data().get(at..).ok_or(IpCounter::DropIcmpMalformed)?;
    let packet = Icmpv4Packet::new_checked(message).map_err(|_| IpCounter::DropIcmpMalformed)?;
    if !checksum::verify(message) {
        return Err(IpCounter::DropIcmpChecksum);
    }
    let kind = match packet.msg_type() {
        Icmpv4Message::EchoRequest => return handle_echo(egress, now, meta, frame, at).map(|()| None),
        Icmpv4Message::DstUnreachable => match Icmpv4DstUnreachable::from(packet.msg_code()) {
            Icmpv4DstUnreachable::FragRequired => ErrorKind::PacketTooBig { mtu: next_hop_mtu(message) },
            // RFC 1122 §4.2.3.9: protocol and port unreachable are hard, the others may pass.
            Icmpv4DstUnreachable::ProtoUnreachable | Icmpv4DstUnreachable::PortUnreachable => {
                ErrorKind::Unreachable { hard: true }
            }
            _ => ErrorKind::Unreachable { hard: false },
        },
        Icmpv4Message::TimeExceeded | Icmpv4Message::ParamProblem => ErrorKind::Unreachable { hard: false },
        Icmpv4Message::Redirect => return Err(IpCounter::DropIcmpRedirect),
        _ => return Err(IpCounter::DropIcmpType),
    };
    let quote = message.get(HEADER_LEN..).and_then(quoted_ports).ok_or(IpCounter::DropIcmpQuote)?;
    accept_quote(egress, QuotedError { kind, ..quote }).map(|error| Some((error, frame)))
}

/// The next-hop MTU of a fragmentation-needed message; a router older than RFC 1191 leaves it zero, and the next lower
/// plateau (RFC 1191 §7.1) of the quoted packet's length is taken.
fn next_hop_mtu(message: &[u8]) -> u16 {
    const PLATEAUS: [u16; 10] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];
    let word =
        |at: usize| message.get(at..).and_then(|rest| rest.first_chunk::<2>()).map_or(0, |b| u16::from_be_bytes(*b));
    match word(6) {
        0 => {
            let quoted_len = word(HEADER_LEN + 2);
            PLATEAUS.into_iter().find(|plateau| *plateau < quoted_len).unwrap_or(68)
        }
        mtu => mtu.max(68),
    }
}

/// Addresses and ports of the quoted IPv4 packet. The checksum is not looked at: routers changed the TTL.
fn quoted_ports(quote: &[u8]) -> Option<QuotedError> {
    let head = quote.first_chunk::<{ ipv4::HEADER_LEN }>()?;
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let first_fragment = u16::from_be_bytes([head[6], head[7]]) & 0x1fff == 0;
    if head[0] >> 4 != 4 || header_len < ipv4::HEADER_LEN || !first_fragment {
        return None;
    }
    let src = Ipv4Addr::new(head[12], head[13], head[14], head[15]);
    let dst = Ipv4Addr::new(head[16], head[17], head[18], head[19]);
    transport_quote(head[9], IpAddr::V4(src), IpAddr::V4(dst), quote.get(header_len..)?)
}

/// The ports (and for TCP the sequence number) in the first 8 bytes of a quoted transport packet.
pub(crate) fn transport_quote(protocol: u8, src: IpAddr, dst: IpAddr, transport: &[u8]) -> Option<QuotedError> {
    let bytes = transport.first_chunk::<8>()?;
    Some(QuotedError {
        protocol,
        local: SocketAddr::new(src, u16::from_be_bytes([bytes[0], bytes[1]])),
        remote: SocketAddr::new(dst, u16::from_be_bytes([bytes[2], bytes[3]])),
        seq: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        kind: ErrorKind::Unreachable { hard: false },
    })
}

/// Only errors about TCP and UDP packets from an address of ours go further; ports and sequence number are the
/// transport's to compare (RFC 5927 §4).
pub(crate) fn accept_quote(egress: &mut Egress, error: QuotedError) -> Result<QuotedError, IpCounter> {
    let transport = matches!(error.protocol, protocol::TCP | protocol::UDP);
    if !transport || !egress.is_local(error.local.ip()) {
        return Err(IpCounter::DropIcmpQuote);
    }
    egress.counters.bump(IpCounter::RxIcmpErrors);
    Ok(error)
}

fn handle_echo(egress: &mut Egress, now: Instant, meta: &IpMeta, frame: Frame, at: usize) -> Result<(), IpCounter> {
    let mut reply = begin_echo_reply(egress, now, frame, at, ipv4::HEADER_LEN)?;
    let out = reply.data_mut();
    out[0] = 0;
    out[2..4].fill(0);
    let sum = checksum::of(out);
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    send_echo_reply(egress, now, meta, meta.dst, protocol::ICMP, reply)
}

/// The frame of an echo request turned into that of the reply: the message alone, at least a header long, which fits
/// the MTU. A request put together from fragments lies in a buffer that no port can send, and is copied.
pub(crate) fn begin_echo_reply(
    egress: &mut Egress,
    now: Instant,
    mut frame: Frame,
    at: usize,
    ip_header_len: usize,
) -> Result<Frame, IpCounter> {
    egress.counters.bump(IpCounter::RxEchoRequests);
    if !egress.answer_echo {
        return Err(IpCounter::DropEchoDisabled);
    }
    frame.trim_front(at);
    if frame.len() < HEADER_LEN {
        return Err(IpCounter::DropIcmpMalformed);
    }
    if frame.len() + ip_header_len > usize::from(egress.link_mtu(ip_header_len == ipv4::HEADER_LEN)) {
        return Err(IpCounter::DropEchoTooBig);
    }
    if !egress.echo_replies.take(now) {
        return Err(IpCounter::DropEchoRate);
    }
    if egress.pool.owns(&frame) && frame.headroom() >= crate::ip::egress::MAX_IP_HEADERS {
        return Ok(frame);
    }
    let mut copy = egress.alloc().ok_or(IpCounter::DropNoFrame)?;
    copy.extend(frame.len()).ok_or(IpCounter::DropEchoTooBig)?.copy_from_slice(frame.data());
    Ok(copy)
}

/// Sends an echo reply back to where the request came from.
pub(crate) fn send_echo_reply(
    egress: &mut Egress,
    now: Instant,
    meta: &IpMeta,
    src: IpAddr,
    protocol: u8,
    reply: Frame,
) -> Result<(), IpCounter> {
    let header = IpHeader { src, dst: meta.src, protocol, ecn: 0, hop_limit: egress.hop_limit };
    if egress.send_control(now, &mut PathCache::from_ingress(meta), &header, reply).is_ok() {
        egress.counters.bump(IpCounter::TxEchoReplies);
    }
    Ok(())
}

/// The ICMPv4 errors that we send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    ProtocolUnreachable,
    PortUnreachable,
    ReassemblyTimeout,
}

/// Sends an error about `packet`, which begins with its IPv4 header. The caller knows that the packet is no ICMP error
/// and came to a unicast address (RFC 1122 §3.2.2); it is the first or only fragment.
pub(crate) fn send_error(egress: &mut Egress, now: Instant, meta: &IpMeta, packet: &[u8], report: Report) {
    let (kind, code) = match report {
        Report::ProtocolUnreachable => (3, 2),
        Report::PortUnreachable => (3, 3),
        Report::ReassemblyTimeout => (11, 1),
    };
    let quote = packet.get(..packet.len().min(MAX_QUOTE)).unwrap_or(packet);
    let Some(mut frame) = begin_error(egress, now, quote) else { return };
    let out = frame.data_mut();
    out[..2].copy_from_slice(&[kind, code]);
    let sum = checksum::of(out);
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    finish_error(egress, now, meta, protocol::ICMP, frame);
}

/// A frame with an ICMP header of zeros and the quoted packet, if the rate limit allows one more error.
pub(crate) fn begin_error(egress: &mut Egress, now: Instant, quote: &[u8]) -> Option<Frame> {
    if !egress.icmp_errors.take(now) {
        egress.counters.bump(IpCounter::DropIcmpErrorRate);
        return None;
    }
    let mut frame = egress.alloc_counted()?;
    let out = frame.extend(HEADER_LEN + quote.len())?;
    out[..HEADER_LEN].fill(0);
    out[HEADER_LEN..].copy_from_slice(quote);
    Some(frame)
}

/// Sends a finished error to the source of the packet it is about.
pub(crate) fn finish_error(egress: &mut Egress, now: Instant, meta: &IpMeta, protocol: u8, frame: Frame) {
    let src = if egress.is_local(meta.dst) { Some(meta.dst) } else { egress.select_source(meta.src) };
    let Some(src) = src else { return };
    let header = IpHeader { src, dst: meta.src, protocol, ecn: 0, hop_limit: egress.hop_limit };
    if egress.send_control(now, &mut PathCache::from_ingress(meta), &header, frame).is_ok() {
        egress.counters.bump(IpCounter::TxIcmpErrors);
    }
}
