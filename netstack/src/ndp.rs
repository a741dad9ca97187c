//! Neighbour discovery for IPv6 (RFC 4861) on smoltcp's packet format: answers for our addresses, questions for our
//! neighbours, probes and solicitations for [`host`](crate::host), which is also told what routers advertise and who else
//! claims an address of ours. Redirects are refused by name: a forged one moves traffic.

use core::net::{IpAddr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};

use crate::counters::IpCounter;
use crate::ip::addresses::{ALL_NODES, ALL_ROUTERS, group_mac, solicited_node};
use crate::ip::egress::IpHeader;
use crate::ip::resolution::Tidings;
use crate::ip::{Egress, checksum, protocol};
use crate::time::Instant;

/// RFC 4861 §7.1: what crossed a router is forged.
const HOP_LIMIT: u8 = 255;
/// RFC 4861 §4.6.1.
const SOURCE_LINK_ADDRESS: u8 = 1;
/// RFC 4861 §4.6.1.
const TARGET_LINK_ADDRESS: u8 = 2;

/// RFC 3971 §5.3.2.
const NONCE: u8 = 14;

/// Where a message came from and went to.
#[derive(Clone, Copy)]
pub(crate) struct Envelope {
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
    pub hop_limit: u8,
    pub mac: [u8; 6],
}

/// Handles a neighbour discovery message whose checksum is right; an error is the reason why it was dropped.
pub(crate) fn handle(egress: &mut Egress, now: Instant, envelope: Envelope, message: &[u8]) -> Result<(), IpCounter> {
    let packet = Icmpv6Packet::new_checked(message).map_err(|_| IpCounter::DropNdpMalformed)?;
    if envelope.hop_limit != HOP_LIMIT {
        return Err(IpCounter::DropNdpHopLimit);
    }
    if packet.msg_code() != 0 {
        return Err(IpCounter::DropNdpMalformed);
    }
    match packet.msg_type() {
        Icmpv6Message::NeighborSolicit => {
            let wanted = packet.target_addr();
            let options = options(message)?;
            let source = link_address(options, SOURCE_LINK_ADDRESS)?;
            if envelope.src.is_unspecified() {
                return handle_probe(egress, now, envelope, wanted, source, nonce(options));
            }
            handle_solicitation(egress, now, envelope, wanted, source)
        }
        Icmpv6Message::NeighborAdvert => {
            let advertised = packet.target_addr();
            let target = link_address(options(message)?, TARGET_LINK_ADDRESS)?;
            handle_advertisement(egress, now, envelope, advertised, packet.neighbor_flags(), target)
        }
        Icmpv6Message::RouterAdvert => egress.handle_router_advertisement(now, envelope.src, envelope.mac, message),
        Icmpv6Message::RouterSolicit => Err(IpCounter::DropRouterSolicitation),
        _ => Err(IpCounter::DropIcmpRedirect),
    }
}

/// The options of a solicitation or advertisement: behind 4 bytes of ICMP, 4 of flags and the target.
fn options(message: &[u8]) -> Result<&[u8], IpCounter> {
    message.get(24..).ok_or(IpCounter::DropNdpMalformed)
}

/// The link address option of `kind`. All options must have a length (RFC 4861 §7.1.1, §7.1.2).
fn link_address(mut options: &[u8], kind: u8) -> Result<Option<[u8; 6]>, IpCounter> {
    let mut found = None;
    while let [option_kind, units, ..] = *options {
        let len = usize::from(units) * 8;
        if len == 0 || len > options.len() {
            return Err(IpCounter::DropNdpMalformed);
        }
        if option_kind == kind && found.is_none() {
            found = options.get(2..).and_then(|rest| rest.first_chunk::<6>()).copied();
        }
        options = &options[len..];
    }
    if !options.is_empty() || found.is_some_and(|mac| mac[0] & 1 != 0) {
        return Err(IpCounter::DropNdpMalformed);
    }
    Ok(found)
}

/// The nonce of a probe; what is wrong with the options was found before.
fn nonce(mut options: &[u8]) -> Option<[u8; 6]> {
    while let [kind, units, ..] = *options {
        let (option, behind) = options.split_at_checked(usize::from(units) * 8).filter(|_| units > 0)?;
        if kind == NONCE {
            return option.get(2..)?.first_chunk::<6>().copied();
        }
        options = behind;
    }
    None
}

fn handle_solicitation(
    egress: &mut Egress,
    now: Instant,
    envelope: Envelope,
    wanted: Ipv6Addr,
    source: Option<[u8; 6]>,
) -> Result<(), IpCounter> {
    if wanted.is_multicast() {
        return Err(IpCounter::DropNdpMalformed);
    }
    if !egress.addresses.is_local_v6(wanted) {
        return Err(IpCounter::DropNdpTarget);
    }
    if !egress.answer_arp {
        return Err(IpCounter::DropNdpDisabled);
    }
    egress.counters.bump(IpCounter::RxNeighborSolicitations);
    let from = IpAddr::V6(envelope.src);
    if let Some(mac) = source
        && egress.routes.on_link(from)
    {
        egress.hear_neighbor(now, from, mac, Tidings::AskedUs);
    }
    advertise(egress, wanted, envelope.src, source.unwrap_or(envelope.mac), true);
    Ok(())
}

/// Somebody wants to know whether an address is free (RFC 4862 §5.4).
fn handle_probe(
    egress: &mut Egress,
    now: Instant,
    envelope: Envelope,
    wanted: Ipv6Addr,
    source: Option<[u8; 6]>,
    nonce: Option<[u8; 6]>,
) -> Result<(), IpCounter> {
    if wanted.is_multicast() {
        return Err(IpCounter::DropNdpMalformed);
    }
    // RFC 4861 §7.1.1: from the unspecified address only to the solicited-node group and without a link address.
    if source.is_some() || envelope.dst != solicited_node(wanted) {
        return Err(IpCounter::DropNdpSource);
    }
    // RFC 4862 §5.4.3: two who try the same address at the same time both give up.
    let contested = egress.host.is_tentative(IpAddr::V6(wanted));
    if !contested && !egress.addresses.is_local_v6(wanted) {
        return Err(IpCounter::DropNdpTarget);
    }
    if !egress.answer_arp {
        return Err(IpCounter::DropNdpDisabled);
    }
    egress.counters.bump(IpCounter::RxNeighborSolicitations);
    egress.counters.bump(IpCounter::AddressConflicts);
    if contested {
        egress.hear_conflict(now, IpAddr::V6(wanted), nonce);
    } else {
        // The answer to all nodes makes it give up.
        advertise(egress, wanted, ALL_NODES, group_mac(ALL_NODES), false);
    }
    Ok(())
}

fn handle_advertisement(
    egress: &mut Egress,
    now: Instant,
    envelope: Envelope,
    advertised: Ipv6Addr,
    flags: NdiscNeighborFlags,
    target: Option<[u8; 6]>,
) -> Result<(), IpCounter> {
    let solicited = flags.contains(NdiscNeighborFlags::SOLICITED);
    // RFC 4861 §7.1.2.
    if advertised.is_multicast() || (envelope.dst.is_multicast() && solicited) {
        return Err(IpCounter::DropNdpMalformed);
    }
    if egress.addresses.is_local_v6(advertised) || egress.host.is_tentative(IpAddr::V6(advertised)) {
        egress.counters.bump(IpCounter::AddressConflicts);
        if egress.answer_arp {
            // RFC 4862 §5.4.4
            egress.hear_conflict(now, IpAddr::V6(advertised), None);
        }
        return Err(IpCounter::DropNdpSource);
    }
    if !egress.routes.on_link(IpAddr::V6(advertised)) {
        return Err(IpCounter::DropNdpSource);
    }
    let overrides = flags.contains(NdiscNeighborFlags::OVERRIDE);
    let tidings = if solicited { Tidings::Answer { overrides } } else { Tidings::Announcement { overrides } };
    // RFC 4861 §4.4: the link address may only be missing in the answer to a unicast solicitation; it is then the one
    // that was asked.
    let mac = target.unwrap_or(envelope.mac);
    if !egress.hear_neighbor(now, IpAddr::V6(advertised), mac, tidings) {
        return Err(IpCounter::DropNdpStranger);
    }
    egress.counters.bump(IpCounter::RxNeighborAdvertisements);
    if !flags.contains(NdiscNeighborFlags::ROUTER) {
        egress.hear_no_router(now, IpAddr::V6(advertised));
    }
    Ok(())
}

/// Asks for `target`: its solicited-node group, or only whom we knew.
pub(crate) fn send_solicitation(egress: &mut Egress, target: Ipv6Addr, at: Option<[u8; 6]>) {
    let group = solicited_node(target);
    let (dst, mac) = match at {
        Some(mac) => (target, mac),
        None => (group, group_mac(group)),
    };
    let Some(IpAddr::V6(src)) = egress.select_source(IpAddr::V6(target)) else { return };
    let lladdr = Some(RawHardwareAddress::from(EthernetAddress(egress.mac)));
    let repr = NdiscRepr::NeighborSolicit { target_addr: target, lladdr };
    if emit(egress, src, dst, mac, repr) {
        egress.counters.bump(IpCounter::TxNeighborSolicitations);
    }
}

/// Asks whether somebody has an address that we want (RFC 4862 §5.4.2), with a nonce (RFC 7527 §4.1). smoltcp knows no
/// nonce.
pub(crate) fn probe(egress: &mut Egress, address: Ipv6Addr, nonce: [u8; 6]) {
    let Some(mut frame) = egress.alloc_counted() else { return };
    let Some(out) = frame.extend(32) else { return };
    out.fill(0);
    out[0] = u8::from(Icmpv6Message::NeighborSolicit);
    out[8..24].copy_from_slice(&address.octets());
    out[24..26].copy_from_slice(&[NONCE, 1]);
    out[26..].copy_from_slice(&nonce);
    let (src, dst) = (Ipv6Addr::UNSPECIFIED, solicited_node(address));
    let header = IpHeader {
        src: IpAddr::V6(src),
        dst: IpAddr::V6(dst),
        protocol: protocol::ICMPV6,
        ecn: 0,
        hop_limit: HOP_LIMIT,
    };
    checksum::fill_transport(header.src, header.dst, protocol::ICMPV6, out, 2, false);
    if egress.send_to_mac(group_mac(dst), &header, frame).is_ok() {
        egress.counters.bump(IpCounter::TxAddressProbes);
    }
}

/// Asks for routers (RFC 4861 §6.3.7), from our link-local address.
pub(crate) fn send_router_solicitation(egress: &mut Egress) {
    let source = egress.select_source(IpAddr::V6(ALL_ROUTERS));
    let Some(IpAddr::V6(src)) = source else { return };
    let lladdr = Some(RawHardwareAddress::from(EthernetAddress(egress.mac)));
    if emit(egress, src, ALL_ROUTERS, group_mac(ALL_ROUTERS), NdiscRepr::RouterSolicit { lladdr }) {
        egress.counters.bump(IpCounter::TxRouterSolicitations);
    }
}

/// Announces an address of ours to all nodes (RFC 4861 §7.2.6).
pub(crate) fn announce(egress: &mut Egress, address: Ipv6Addr) {
    if emit_advertisement(egress, address, ALL_NODES, group_mac(ALL_NODES), false) {
        egress.counters.bump(IpCounter::TxAnnouncements);
    }
}

fn advertise(egress: &mut Egress, address: Ipv6Addr, dst: Ipv6Addr, mac: [u8; 6], solicited: bool) {
    if emit_advertisement(egress, address, dst, mac, solicited) {
        egress.counters.bump(IpCounter::TxNeighborAdvertisements);
    }
}

fn emit_advertisement(egress: &mut Egress, address: Ipv6Addr, dst: Ipv6Addr, mac: [u8; 6], solicited: bool) -> bool {
    let answer = if solicited { NdiscNeighborFlags::SOLICITED } else { NdiscNeighborFlags::empty() };
    let repr = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::OVERRIDE | answer,
        target_addr: address,
        lladdr: Some(RawHardwareAddress::from(EthernetAddress(egress.mac))),
    };
    emit(egress, address, dst, mac, repr)
}

fn emit(egress: &mut Egress, src: Ipv6Addr, dst: Ipv6Addr, mac: [u8; 6], repr: NdiscRepr<'_>) -> bool {
    let repr = Icmpv6Repr::Ndisc(repr);
    let Some(mut frame) = egress.alloc_counted() else { return false };
    let Some(out) = frame.extend(repr.buffer_len()) else { return false };
    repr.emit(&src, &dst, &mut Icmpv6Packet::new_unchecked(out), &ChecksumCapabilities::default());
    let (src, dst) = (IpAddr::V6(src), IpAddr::V6(dst));
    let header = IpHeader { src, dst, protocol: protocol::ICMPV6, ecn: 0, hop_limit: HOP_LIMIT };
    egress.send_to_mac(mac, &header, frame).is_ok()
}
