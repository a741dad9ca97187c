//! The UDP side of the facade.

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use crate::ip::Ecn;
use crate::time::Instant;
use crate::udp::{BindError, Datagram, SendError, UdpError, UdpId};

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
        self.udp.send(&mut self.egress, now, id, local, remote, ecn, payload)
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
