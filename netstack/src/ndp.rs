//! Neighbour discovery for IPv6 (RFC 4861) on smoltcp's packet format: answers for our addresses, questions for our
//! neighbours. Router advertisements and redirects are refused by name: routes are configured. Duplicate address
//! detection of others (RFC 4862 §5.4) is answered; we do not run it for our own configured addresses.

use core::net::{IpAddr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};

use crate::counters::IpCounter;
use crate::ip::addresses::{ALL_NODES, group_mac, solicited_node};
use crate::ip::egress::IpHeader;
use crate::ip::resolution::Tidings;
use crate::ip::{Egress, protocol};
use crate::time::Instant;

/// RFC 4861 §7.1: what crossed a router is forged.
const HOP_LIMIT: u8 = 255;
/// RFC 4861 §4.6.1.
const SOURCE_LINK_ADDRESS: u8 = 1;
/// RFC 4861 §4.6.1.
const TARGET_LINK_ADDRESS: u8 = 2;

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
            let source = link_address(options(message)?, SOURCE_LINK_ADDRESS)?;
            handle_solicitation(egress, now, envelope, wanted, source)
        }
        Icmpv6Message::NeighborAdvert => {
            let advertised = packet.target_addr();
            let target = link_address(options(message)?, TARGET_LINK_ADDRESS)?;
            handle_advertisement(egress, now, envelope, advertised, packet.neighbor_flags(), target)
        }
        Icmpv6Message::RouterAdvert => Err(IpCounter::DropRouterAdvertisement),
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
    let detection = envelope.src.is_unspecified();
    // RFC 4861 §7.1.1: from the unspecified address only to the solicited-node group and without a link address.
    if detection && (source.is_some() || envelope.dst != solicited_node(wanted)) {
        return Err(IpCounter::DropNdpSource);
    }
    if !egress.addresses.is_local_v6(wanted) {
        return Err(IpCounter::DropNdpTarget);
    }
    if !egress.answer_arp {
        return Err(IpCounter::DropNdpDisabled);
    }
    egress.counters.bump(IpCounter::RxNeighborSolicitations);
    let from = IpAddr::V6(envelope.src);
    if detection {
        // RFC 4862 §5.4.3: somebody tries our address; the answer to all nodes makes it give up.
        egress.counters.bump(IpCounter::AddressConflicts);
        advertise(egress, wanted, ALL_NODES, group_mac(ALL_NODES), false);
        return Ok(());
    }
    if let Some(mac) = source
        && egress.routes.on_link(from)
    {
        egress.hear_neighbor(now, from, mac, Tidings::AskedUs);
    }
    advertise(egress, wanted, envelope.src, source.unwrap_or(envelope.mac), true);
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
    if egress.addresses.is_local_v6(advertised) {
        egress.counters.bump(IpCounter::AddressConflicts);
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
