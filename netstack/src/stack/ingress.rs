//! A frame's way in: Ethernet, IP, fragments, and on to its transport. Every early end is a counter.

use core::net::IpAddr;

use super::Stack;
use crate::arp;
use crate::counters::IpCounter;
use crate::ethernet::{self, EthernetHeader, ethertype};
use crate::fragments::{Fragment, Reassembled};
use crate::frame::Frame;
use crate::host::dhcp::CLIENT_PORT;
use crate::icmp::{self, QuotedError};
use crate::icmpv6;
use crate::ip::addresses::Destination;
use crate::ip::ipv6::{ParameterProblem, Refusal, Upper};
use crate::ip::{IpMeta, ipv4, ipv6, protocol};
use crate::tcp::{Ctx, IcmpError, IcmpErrorKind};
use crate::time::Instant;
use crate::udp::{self, Received};

impl Stack {
    /// Handles one received Ethernet frame; `frame.rx_checksum` says what the port knows of its checksums.
    #[inline]
    pub fn handle_frame(&mut self, now: Instant, frame: Frame) {
        self.egress.counters.bump(IpCounter::RxFrames);
        if let Err(reason) = self.handle_ethernet(now, frame) {
            self.egress.counters.bump(reason);
        }
    }

    /// The frame's bounds are changed once, when everything up to the transport was checked: a handle that was just
    /// written in parts is slow to be moved (its stores cannot be forwarded to the wider loads of the move).
    #[inline]
    pub(super) fn handle_ethernet(&mut self, now: Instant, frame: Frame) -> Result<(), IpCounter> {
        let link = ethernet::parse(frame.data(), self.egress.mac, self.egress.vlan)?;
        match link.ethertype {
            ethertype::IPV4 => self.handle_ipv4(now, &link, frame),
            ethertype::IPV6 => self.handle_ipv6(now, &link, frame),
            ethertype::ARP => arp::handle(&mut self.egress, now, behind(&frame, link.len)),
            _ => Err(IpCounter::DropEthertype),
        }
    }

    #[inline]
    fn handle_ipv4(&mut self, now: Instant, link: &EthernetHeader, mut frame: Frame) -> Result<(), IpCounter> {
        let header = ipv4::parse(behind(&frame, link.len))?;
        if let Err(reason) = ipv4::check_addresses(&header, &self.egress.addresses, link.group) {
            return self.handle_dhcp_datagram(now, link, &header, frame, reason);
        }
        self.egress.counters.bump(IpCounter::RxIpv4);
        // What lies behind the packet is padding of the link (RFC 1122 §3.2.1.1).
        frame.truncate(link.len + header.total_len);
        let meta = IpMeta {
            src: IpAddr::V4(header.src),
            dst: IpAddr::V4(header.dst),
            ecn: header.ecn,
            ingress_mac: link.source,
        };
        if header.protocol == protocol::TCP && header.fragment.is_none() {
            self.deliver_segment(now, &meta, frame, link.len, header.header_len);
            return Ok(());
        }
        frame.trim_front(link.len);
        match header.fragment {
            None => self.deliver_v4(now, &meta, header.protocol, frame, header.header_len),
            Some(place) => self.handle_fragment_v4(now, &meta, &header, place, frame),
        }
    }

    /// A packet that is not for an address of ours is taken when it is from a DHCP server to us: a broadcast, or to the
    /// address that it offers (RFC 2131 §4.1). Nothing else is broadcast to us.
    #[cold]
    fn handle_dhcp_datagram(
        &mut self,
        now: Instant,
        link: &EthernetHeader,
        header: &ipv4::Ipv4Header,
        mut frame: Frame,
        reason: IpCounter,
    ) -> Result<(), IpCounter> {
        let possible = matches!(reason, IpCounter::DropIpv4Broadcast | IpCounter::DropIpv4Destination);
        let whole = header.protocol == protocol::UDP && header.fragment.is_none();
        if !possible || !whole || !self.egress.awaits_dhcp(header.dst) {
            return Err(reason);
        }
        frame.truncate(link.len + header.total_len);
        frame.trim_front(link.len + header.header_len);
        let (src, dst) = (IpAddr::V4(header.src), IpAddr::V4(header.dst));
        if !udp::is_intact(src, dst, &frame) {
            return Err(IpCounter::DropUdpChecksum);
        }
        let message = udp::payload_for(frame.data(), 0, CLIENT_PORT).ok_or(reason)?;
        self.egress.counters.bump(IpCounter::RxIpv4);
        self.egress.hear_dhcp(now, message)
    }

    #[cold]
    fn handle_fragment_v4(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        header: &ipv4::Ipv4Header,
        place: ipv4::Ipv4Fragment,
        frame: Frame,
    ) -> Result<(), IpCounter> {
        self.egress.counters.bump(IpCounter::RxFragments);
        let fragment = Fragment {
            protocol: header.protocol,
            identification: u32::from(header.identification),
            offset: place.offset,
            more: place.more,
            payload: header.header_len,
        };
        let Some(whole) = self.fragments.insert(now, meta, fragment, frame)? else { return Ok(()) };
        self.egress.counters.bump(IpCounter::RxReassembled);
        let Reassembled { meta, protocol, frame } = whole;
        self.deliver_v4(now, &meta, protocol, frame, ipv4::HEADER_LEN)
    }

    /// `frame` begins with the IPv4 header of a whole packet and ends with the packet; its payload lies at `at`.
    fn deliver_v4(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        protocol: u8,
        frame: Frame,
        at: usize,
    ) -> Result<(), IpCounter> {
        match protocol {
            protocol::TCP => {
                self.deliver_segment(now, meta, frame, 0, at);
                Ok(())
            }
            protocol::UDP => {
                if let Received::PortClosed(frame) = self.udp.handle(&mut self.egress, meta, frame, at)? {
                    if let Some(message) = udp::payload_for(frame.data(), at, CLIENT_PORT)
                        && self.egress.has_dhcp()
                    {
                        return self.egress.hear_dhcp(now, message);
                    }
                    let report = icmp::Report::PortUnreachable;
                    icmp::send_error(&mut self.egress, now, meta, frame.data(), report);
                    return Err(IpCounter::DropUdpPortClosed);
                }
                Ok(())
            }
            protocol::ICMP => match icmp::handle(&mut self.egress, now, meta, frame, at)? {
                Some((error, frame)) => self.deliver_error(now, meta, &error, frame),
                None => Ok(()),
            },
            _ => {
                let report = icmp::Report::ProtocolUnreachable;
                icmp::send_error(&mut self.egress, now, meta, frame.data(), report);
                Err(IpCounter::DropProtocol)
            }
        }
    }

    #[inline]
    fn handle_ipv6(&mut self, now: Instant, link: &EthernetHeader, mut frame: Frame) -> Result<(), IpCounter> {
        let header = ipv6::parse(behind(&frame, link.len))?;
        let destination = ipv6::check_addresses(&header, &self.egress.addresses, link.group)?;
        self.egress.counters.bump(IpCounter::RxIpv6);
        frame.truncate(link.len + header.total_len);
        let meta = IpMeta {
            src: IpAddr::V6(header.src),
            dst: IpAddr::V6(header.dst),
            ecn: header.ecn,
            ingress_mac: link.source,
        };
        let packet = Packet6 { header, destination };
        if header.next_header == protocol::TCP {
            return self.deliver_segment_v6(now, &meta, &packet, frame, link.len, ipv6::HEADER_LEN);
        }
        frame.trim_front(link.len);
        self.handle_extended_v6(now, &meta, &packet, frame)
    }

    /// Everything that is not TCP right behind the IPv6 header.
    fn handle_extended_v6(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        packet: &Packet6,
        frame: Frame,
    ) -> Result<(), IpCounter> {
        let header = &packet.header;
        match ipv6::walk(frame.data(), header.next_header, ipv6::HEADER_LEN, false) {
            Ok(Upper::Payload { protocol, offset, named_at }) => {
                self.deliver_v6(now, meta, packet, protocol, frame, offset, named_at)
            }
            Ok(Upper::Fragment(fragment)) => self.handle_fragment_v6(now, meta, packet, fragment, frame),
            Err(refusal) => Err(self.refuse_v6(now, meta, &frame, refusal)),
        }
    }

    fn handle_fragment_v6(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        packet: &Packet6,
        place: ipv6::Ipv6Fragment,
        frame: Frame,
    ) -> Result<(), IpCounter> {
        self.egress.counters.bump(IpCounter::RxFragments);
        let fragment = Fragment {
            protocol: place.next_header,
            identification: place.identification,
            offset: place.offset,
            more: place.more,
            payload: place.payload,
        };
        let Some(whole) = self.fragments.insert(now, meta, fragment, frame)? else { return Ok(()) };
        self.egress.counters.bump(IpCounter::RxReassembled);
        let Reassembled { meta, protocol, frame } = whole;
        match ipv6::walk(frame.data(), protocol, ipv6::HEADER_LEN, true) {
            Ok(Upper::Payload { protocol, offset, named_at }) => {
                self.deliver_v6(now, &meta, packet, protocol, frame, offset, named_at)
            }
            Ok(Upper::Fragment(_)) => Err(IpCounter::DropIpv6ExtensionMalformed),
            Err(refusal) => Err(self.refuse_v6(now, &meta, &frame, refusal)),
        }
    }

    /// `frame` begins with the IPv6 header of a whole packet and ends with the packet; its payload lies at `at`.
    #[allow(clippy::too_many_arguments, reason = "the packet's place and what its headers said")]
    fn deliver_v6(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        packet: &Packet6,
        protocol: u8,
        frame: Frame,
        at: usize,
        named_at: usize,
    ) -> Result<(), IpCounter> {
        if protocol != protocol::ICMPV6 && packet.header.src.is_unspecified() {
            return Err(IpCounter::DropIpv6SourceMartian);
        }
        match protocol {
            protocol::TCP => self.deliver_segment_v6(now, meta, packet, frame, 0, at),
            protocol::UDP => {
                if let Received::PortClosed(frame) = self.udp.handle(&mut self.egress, meta, frame, at)? {
                    let report = icmpv6::Report::PortUnreachable;
                    icmpv6::send_error(&mut self.egress, now, meta, frame.data(), report);
                    return Err(IpCounter::DropUdpPortClosed);
                }
                Ok(())
            }
            protocol::ICMPV6 => {
                let ipv6::Ipv6Header { src, dst, hop_limit, .. } = packet.header;
                let addressed = icmpv6::Addressed { src, dst, hop_limit };
                match icmpv6::handle(&mut self.egress, now, meta, addressed, frame, at)? {
                    Some((error, frame)) => self.deliver_error(now, meta, &error, frame),
                    None => Ok(()),
                }
            }
            _ => {
                // RFC 8200 §4: an unrecognised next header is reported with its place.
                let problem = ParameterProblem { code: 1, pointer: named_at as u32, even_multicast: false };
                let report = icmpv6::Report::ParameterProblem(problem);
                icmpv6::send_error(&mut self.egress, now, meta, frame.data(), report);
                Err(IpCounter::DropProtocol)
            }
        }
    }

    fn refuse_v6(&mut self, now: Instant, meta: &IpMeta, frame: &Frame, refusal: Refusal) -> IpCounter {
        if let Some(problem) = refusal.report {
            let report = icmpv6::Report::ParameterProblem(problem);
            icmpv6::send_error(&mut self.egress, now, meta, frame.data(), report);
        }
        refusal.counter
    }

    #[inline]
    fn deliver_segment_v6(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        packet: &Packet6,
        frame: Frame,
        link_len: usize,
        at: usize,
    ) -> Result<(), IpCounter> {
        if packet.destination != Destination::Local {
            return Err(IpCounter::DropTcpGroup);
        }
        if packet.header.src.is_unspecified() {
            return Err(IpCounter::DropIpv6SourceMartian);
        }
        self.deliver_segment(now, meta, frame, link_len, at);
        Ok(())
    }

    /// `frame` begins with `link_len` bytes of Ethernet (none where they were cut off) and has the segment `at` bytes
    /// behind them. Always in line: a call would move the frame's handle once more.
    #[inline(always)]
    fn deliver_segment(&mut self, now: Instant, meta: &IpMeta, mut frame: Frame, link_len: usize, at: usize) {
        frame.trim_front(link_len + at);
        self.tcp.handle_segment(&mut Ctx { now, egress: &mut self.egress }, meta, frame);
        if self.tcp.has_misplaced() {
            self.queue_misplaced(meta, at);
        }
    }

    /// `frame` begins with the IP header of the ICMP message.
    fn deliver_error(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        error: &QuotedError,
        frame: Frame,
    ) -> Result<(), IpCounter> {
        let QuotedError { protocol, local, remote, seq, kind } = *error;
        if protocol == protocol::UDP {
            return self.udp.handle_error(&mut self.egress, now, local, remote, kind);
        }
        let kind = match kind {
            icmp::ErrorKind::Unreachable { hard } => IcmpErrorKind::Unreachable { hard },
            icmp::ErrorKind::PacketTooBig { mtu } => IcmpErrorKind::PacketTooBig { mtu },
        };
        let mut ctx = Ctx { now, egress: &mut self.egress };
        if let Some(owner) = self.tcp.handle_icmp_error(&mut ctx, IcmpError { local, remote, seq, kind }) {
            self.queue_foreign(owner, meta, frame);
        }
        Ok(())
    }
}

/// The bytes of a frame behind its Ethernet header.
#[inline]
fn behind(frame: &Frame, link_len: usize) -> &[u8] {
    frame.data().get(link_len..).unwrap_or_default()
}

/// What the fixed header of an IPv6 packet said, for the layers above.
struct Packet6 {
    header: ipv6::Ipv6Header,
    destination: Destination,
}
