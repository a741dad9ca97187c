//! Packets of flows that other workers have (see [`crate::flows`]): out to them, and in from them.

use super::Stack;
use crate::counters::IpCounter;
use crate::ethernet::ethertype;
use crate::frame::Frame;
use crate::ip::{Egress, IpMeta};
use crate::tcp::Misplaced;
use crate::time::Instant;

/// Packets for other workers that wait to be fetched. They are fetched after each burst; this is above any burst.
const MAX_FOREIGN: usize = 256;
/// Ethernet header with one tag.
const MAX_LINK: usize = 18;

/// A packet of a flow that another worker has.
#[derive(Debug)]
pub struct Foreign {
    owner: u16,
    link: [u8; MAX_LINK],
    link_len: usize,
    /// From the IP header on.
    packet: Frame,
}

impl Foreign {
    /// The worker whose flow it is.
    pub fn owner(&self) -> u16 {
        self.owner
    }

    /// The Ethernet frame in two parts: its header, and the packet. The header is made anew, since a packet that was put
    /// together from fragments has none.
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.link.get(..self.link_len).unwrap_or_default(), self.packet.data()]
    }

    /// What is known of its checksums.
    pub fn rx_checksum(&self) -> crate::frame::RxChecksum {
        self.packet.rx_checksum
    }
}

impl Stack {
    /// The next packet for another worker, which takes it with [`Stack::handle_handed_over`].
    #[inline]
    pub fn poll_foreign(&mut self) -> Option<Foreign> {
        self.foreign.pop_front()
    }

    /// True once on one worker, when so many packets came to other queues than the port says that its word is taken no
    /// longer: active opens then choose their ports without it, and replies are handed over.
    pub fn poll_steering_lost(&mut self) -> bool {
        self.tcp.poll_steering_lost()
    }

    /// Handles a frame that came to another worker's queue: as [`Stack::handle_frame`], but it goes to no third worker.
    pub fn handle_handed_over(&mut self, now: Instant, frame: Frame) {
        self.egress.counters.bump(IpCounter::RxHandedOver);
        self.tcp.set_handed_over(true);
        if let Err(reason) = self.handle_ethernet(now, frame) {
            self.egress.counters.bump(reason);
        }
        self.tcp.set_handed_over(false);
    }

    /// The segment that was just handled is another worker's; its IP header is `at` bytes long.
    #[cold]
    #[inline(never)]
    pub(super) fn queue_misplaced(&mut self, meta: &IpMeta, at: usize) {
        let Some(Misplaced { owner, mut frame }) = self.tcp.take_misplaced() else { return };
        if frame.push_front(at).is_some() {
            self.queue_foreign(owner, meta, frame);
        }
    }

    #[cold]
    pub(super) fn queue_foreign(&mut self, owner: u16, meta: &IpMeta, packet: Frame) {
        self.egress.counters.bump(IpCounter::RxForeign);
        if self.foreign.len() >= MAX_FOREIGN {
            return self.egress.counters.bump(IpCounter::DropForeignQueueFull);
        }
        let (link, link_len) = link_header(&self.egress, meta);
        self.foreign.push_back(Foreign { owner, link, link_len, packet });
    }
}

/// The Ethernet header that the packet had.
fn link_header(egress: &Egress, meta: &IpMeta) -> ([u8; MAX_LINK], usize) {
    let mut link = [0; MAX_LINK];
    link[..6].copy_from_slice(&egress.mac);
    link[6..12].copy_from_slice(&meta.ingress_mac);
    let kind = if meta.src.is_ipv4() { ethertype::IPV4 } else { ethertype::IPV6 };
    let at = match egress.vlan {
        Some(id) => {
            link[12..14].copy_from_slice(&ethertype::VLAN.to_be_bytes());
            link[14..16].copy_from_slice(&id.to_be_bytes());
            16
        }
        None => 12,
    };
    link[at..at + 2].copy_from_slice(&kind.to_be_bytes());
    (link, at + 2)
}
