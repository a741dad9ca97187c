//! The UDP side of the facade.

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use crate::ip::{Ecn, PathCache};
use crate::time::Instant;
use crate::udp::{BindError, Datagram, Segments, SendError, UdpError, UdpId};

impl Stack {
    /// Binds a UDP socket to `port` on one address, or on all (IPv4 and IPv6). A socket on the very address comes
    /// before one on all.
    pub fn udp_bind(&mut self, address: Option<IpAddr>, port: u16) -> Result<UdpId, BindError> {
        self.udp.bind(&self.egress, address, port)
    }

    /// Gives a UDP socket up; datagrams that are queued for it are still handed out.
    pub fn udp_unbind(&mut self, id: UdpId) {
        self.udp.unbind(id);
    }

    /// Sends one datagram from `local` (else the address the socket is bound to, else the best one). The payload is
    /// copied into its frame.
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        local: Option<IpAddr>,
        remote: SocketAddr,
        ecn: Ecn,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let (mut path, segments) = (PathCache::default(), Segments { payload, segment_len: payload.len() });
        self.udp.send_segments(&mut self.egress, now, &mut path, id, local, remote, ecn, segments).map(|_| ())
    }

    /// Sends a run of datagrams of one size from one buffer, as the kernel's `UDP_SEGMENT` does; how many left. Fewer than
    /// there are when frames or the queue ran out. Addresses, size limit and next hop are looked up once, the next hop not
    /// even that when `path` is kept from call to call.
    #[allow(clippy::too_many_arguments, reason = "a datagram's addresses, mark and payload")]
    pub fn udp_send_segments(
        &mut self,
        now: Instant,
        path: &mut PathCache,
        id: UdpId,
        local: Option<IpAddr>,
        remote: SocketAddr,
        ecn: Ecn,
        segments: Segments<'_>,
    ) -> Result<usize, SendError> {
        self.udp.send_segments(&mut self.egress, now, path, id, local, remote, ecn, segments)
    }

    /// Moves up to `max` received datagrams, of any sockets, to the end of `out`; how many.
    pub fn poll_datagrams(&mut self, out: &mut Vec<Datagram>, max: usize) -> usize {
        self.udp.poll_datagrams(out, max)
    }

    /// The next received datagram, of any socket.
    pub fn poll_datagram(&mut self) -> Option<Datagram> {
        self.udp.poll_datagram()
    }

    /// The next ICMP error about a datagram that was sent.
    pub fn poll_datagram_error(&mut self) -> Option<UdpError> {
        self.udp.poll_error()
    }
}
