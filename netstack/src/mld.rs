//! Multicast listener reports (MLDv2, RFC 3810), so that switches which snoop deliver our solicited-node groups.
//!
//! A report of all groups is sent when the stack starts, when there are more of them, and for every general or matching
//! query; groups that are left are not reported, and age in the switches.

use core::net::{IpAddr, Ipv6Addr};

use crate::counters::IpCounter;
use crate::ip::addresses::group_mac;
use crate::ip::egress::IpHeader;
use crate::ip::{Egress, checksum, protocol};
use crate::time::Instant;

/// All MLDv2-capable routers (RFC 3810 §5.2.14).
const ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// ICMPv6 type of a version 2 report.
const REPORT: u8 = 143;
/// Hop-by-hop header with the router alert option (RFC 2711) and padding; ICMPv6 follows.
const ROUTER_ALERT: [u8; 8] = [protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];
/// Records of one report: well below the minimum MTU.
const RECORDS: usize = 48;

/// Why a group is reported (RFC 3810 §5.2.12).
#[derive(Clone, Copy)]
pub(crate) enum Record {
    /// Somebody asked.
    ModeIsExclude = 2,
    /// We began to listen.
    ChangeToExclude = 4,
}

/// Answers a query, at once: the delay that RFC 3810 §6.2 spreads over many listeners is not needed for a few groups
/// that nobody else has. `hop_limit` must be 1 and the source link-local (RFC 3810 §6.2).
pub(crate) fn handle_query(egress: &mut Egress, now: Instant, src: Ipv6Addr, hop_limit: u8) -> Result<(), IpCounter> {
    if hop_limit != 1 || !src.is_unicast_link_local() {
        return Err(IpCounter::DropNdpHopLimit);
    }
    if !egress.answer_arp {
        return Err(IpCounter::DropNdpDisabled);
    }
    if !egress.icmp_errors.take(now) {
        return Err(IpCounter::DropIcmpErrorRate);
    }
    egress.counters.bump(IpCounter::RxMldQueries);
    report(egress, Record::ModeIsExclude);
    Ok(())
}

/// Reports all our groups.
pub(crate) fn report(egress: &mut Egress, record: Record) {
    // RFC 3590 §4: before an address may be used, reports come from the unspecified one.
    let src = link_local_source(egress).unwrap_or(Ipv6Addr::UNSPECIFIED);
    let count = egress.addresses.solicited_groups().count();
    for first in (0..count).step_by(RECORDS) {
        let Some(mut frame) = egress.alloc_counted() else { return };
        let records = RECORDS.min(count - first);
        let Some(out) = frame.extend(8 + 20 * records) else { return };
        out.fill(0);
        out[0] = REPORT;
        out[7] = records as u8;
        let groups = egress.addresses.solicited_groups().skip(first);
        for (group, place) in groups.zip(out[8..].as_chunks_mut::<20>().0) {
            place[0] = record as u8;
            place[4..].copy_from_slice(&group.octets());
        }
        let (src, dst) = (IpAddr::V6(src), IpAddr::V6(ROUTERS));
        checksum::fill_transport(src, dst, protocol::ICMPV6, out, 2, false);
        let Some(alert) = frame.push_front(ROUTER_ALERT.len()) else { return };
        alert.copy_from_slice(&ROUTER_ALERT);
        // Next header 0: hop-by-hop options come first. RFC 3810 §5: hop limit 1.
        let header = IpHeader { src, dst, protocol: 0, ecn: 0, hop_limit: 1 };
        if egress.send_to_mac(group_mac(ROUTERS), &header, frame).is_ok() {
            egress.counters.bump(IpCounter::TxAnnouncements);
        }
    }
}

fn link_local_source(egress: &Egress) -> Option<Ipv6Addr> {
    match egress.select_source(IpAddr::V6(ROUTERS))? {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
        _ => None,
    }
}
