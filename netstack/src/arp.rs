//! ARP (RFC 826) on smoltcp's packet format: answers for our addresses, questions for our neighbours.
//!
//! The cache takes in strangers only when they ask for us, and announcements only of neighbours already known
//! (RFC 5227 §1.1 describes why a host may listen to them). What somebody else says of an address of ours goes to the
//! conflict detection of [`host`](crate::host).

use core::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress};

use crate::counters::IpCounter;
use crate::ethernet::{BROADCAST, ethertype};
use crate::ip::Egress;
use crate::ip::addresses::is_martian_v4;
use crate::ip::resolution::Tidings;
use crate::time::Instant;

/// Handles the payload of an ARP frame; an error is the reason why it was dropped.
pub(crate) fn handle(egress: &mut Egress, now: Instant, packet: &[u8]) -> Result<(), IpCounter> {
    let packet = ArpPacket::new_checked(packet).map_err(|_| IpCounter::DropArpMalformed)?;
    let ArpRepr::EthernetIpv4 { operation, source_hardware_addr, source_protocol_addr, target_protocol_addr, .. } =
        ArpRepr::parse(&packet).map_err(|_| IpCounter::DropArpMalformed)?
    else {
        return Err(IpCounter::DropArpMalformed);
    };
    let (mac, sender) = (source_hardware_addr.0, source_protocol_addr);
    if mac[0] & 1 != 0 || mac == [0; 6] || mac == egress.mac {
        return Err(IpCounter::DropArpSource);
    }
    // RFC 5227 §2.1.1: a probe has no sender address yet. It is answered, so that its sender gives up, and not learned.
    let probe = sender.is_unspecified();
    hear_claim(egress, now, sender, if probe { target_protocol_addr } else { sender })?;
    if !probe && (is_martian_v4(sender) || sender.is_multicast() || !egress.routes.on_link(IpAddr::V4(sender))) {
        return Err(IpCounter::DropArpSource);
    }
    match operation {
        ArpOperation::Request if egress.addresses.is_local_v4(target_protocol_addr) => {
            if !egress.answer_arp {
                return Err(IpCounter::DropArpDisabled);
            }
            egress.counters.bump(IpCounter::RxArpRequests);
            if !probe {
                egress.hear_neighbor(now, IpAddr::V4(sender), mac, Tidings::AskedUs);
            }
            send(egress, ArpOperation::Reply, target_protocol_addr, mac, sender, mac);
            Ok(())
        }
        // RFC 5227 §3: sender and target are the same, an announcement.
        ArpOperation::Request if sender != target_protocol_addr => Err(IpCounter::DropArpTarget),
        ArpOperation::Request => learn(egress, now, sender, mac, Tidings::Announcement { overrides: true }),
        ArpOperation::Reply if probe => Err(IpCounter::DropArpSource),
        ArpOperation::Reply if egress.addresses.is_local_v4(target_protocol_addr) => {
            learn(egress, now, sender, mac, Tidings::Answer { overrides: true })
        }
        ArpOperation::Reply => learn(egress, now, sender, mac, Tidings::Announcement { overrides: true }),
        ArpOperation::Unknown(_) => Err(IpCounter::DropArpMalformed),
    }
}

/// RFC 5227 §2.1.1, §2.4: whoever speaks as one of our addresses, or probes for one that we are probing, claims it.
fn hear_claim(egress: &mut Egress, now: Instant, sender: Ipv4Addr, claimed: Ipv4Addr) -> Result<(), IpCounter> {
    let used = egress.addresses.is_local_v4(sender);
    if used || egress.host.is_tentative(IpAddr::V4(claimed)) {
        egress.counters.bump(IpCounter::AddressConflicts);
        if egress.answer_arp {
            egress.hear_conflict(now, IpAddr::V4(claimed), None);
        }
        return Err(IpCounter::DropArpSource);
    }
    Ok(())
}

fn learn(egress: &mut Egress, now: Instant, sender: Ipv4Addr, mac: [u8; 6], tidings: Tidings) -> Result<(), IpCounter> {
    if !egress.hear_neighbor(now, IpAddr::V4(sender), mac, tidings) {
        return Err(IpCounter::DropArpStranger);
    }
    egress.counters.bump(IpCounter::RxArpReplies);
    Ok(())
}

/// Asks for `target`: everybody, or only whom we knew.
pub(crate) fn send_request(egress: &mut Egress, target: Ipv4Addr, at: Option<[u8; 6]>) {
    let Some(IpAddr::V4(source)) = egress.select_source(IpAddr::V4(target)) else { return };
    send(egress, ArpOperation::Request, source, at.unwrap_or(BROADCAST), target, [0; 6]);
}

/// Asks whether somebody has an address that we want (RFC 5227 §2.1.1).
pub(crate) fn probe(egress: &mut Egress, address: Ipv4Addr) {
    if emit(egress, ArpOperation::Request, Ipv4Addr::UNSPECIFIED, BROADCAST, address, [0; 6]) {
        egress.counters.bump(IpCounter::TxAddressProbes);
    }
}

/// Announces an address of ours (RFC 5227 §3).
pub(crate) fn announce(egress: &mut Egress, address: Ipv4Addr) {
    if emit(egress, ArpOperation::Request, address, BROADCAST, address, [0; 6]) {
        egress.counters.bump(IpCounter::TxAnnouncements);
    }
}

fn send(egress: &mut Egress, operation: ArpOperation, source: Ipv4Addr, to: [u8; 6], target: Ipv4Addr, mac: [u8; 6]) {
    if emit(egress, operation, source, to, target, mac) {
        egress.counters.bump(match operation {
            ArpOperation::Reply => IpCounter::TxArpReplies,
            _ => IpCounter::TxArpRequests,
        });
    }
}

fn emit(
    egress: &mut Egress,
    operation: ArpOperation,
    source: Ipv4Addr,
    to: [u8; 6],
    target: Ipv4Addr,
    target_mac: [u8; 6],
) -> bool {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(egress.mac),
        source_protocol_addr: source,
        target_hardware_addr: EthernetAddress(target_mac),
        target_protocol_addr: target,
    };
    let Some(mut frame) = egress.alloc_counted() else { return false };
    let Some(out) = frame.extend(repr.buffer_len()) else { return false };
    repr.emit(&mut ArpPacket::new_unchecked(out));
    egress.send_link(to, ethertype::ARP, frame).is_ok()
}
