//! Sending datagrams: one, or a run of equal ones from one buffer, as the kernel's UDP_SEGMENT does.
//!
//! What is the same for all of a run (source address, size limit, next hop) is found once; each datagram is copied into
//! its frame and nothing else.

use core::net::{IpAddr, SocketAddr};

use super::{CHECKSUM_AT, HEADER_LEN, SendError, Udp, UdpId};
use crate::counters::IpCounter;
use crate::frame::TxChecksum;
use crate::ip::{Ecn, Egress, EgressError, PathCache, checksum, protocol};
use crate::time::Instant;

/// A buffer that is sent as several datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    /// The payloads, one behind the other.
    pub payload: &'a [u8],
    /// Bytes of each; the last one may be shorter. At least 1.
    pub segment_len: usize,
}

/// What the datagrams of one call have in common.
struct Way {
    port: u16,
    source: IpAddr,
    remote: SocketAddr,
    ecn: Ecn,
}

impl Udp {
    /// Sends `segments` in order; how many datagrams left. Fewer than there are when frames or the queue ran out: the
    /// rest can be sent later. `path` remembers the next hop from call to call.
    #[allow(clippy::too_many_arguments, reason = "a datagram's addresses, mark and payload")]
    pub(crate) fn send_segments(
        &mut self,
        egress: &mut Egress,
        now: Instant,
        path: &mut PathCache,
        id: UdpId,
        local: Option<IpAddr>,
        remote: SocketAddr,
        ecn: Ecn,
        segments: Segments<'_>,
    ) -> Result<usize, SendError> {
        let way = self.way(egress, id, local, remote, ecn)?;
        let headers = HEADER_LEN + if remote.is_ipv4() { 20 } else { 40 };
        let most = usize::from(egress.ip_mtu(now, remote.ip())).saturating_sub(headers);
        let len = segments.segment_len.max(1);
        if len.min(segments.payload.len()) > most {
            return Err(SendError::TooBig(most));
        }
        if segments.payload.is_empty() {
            return emit(egress, now, path, &way, &[]).map(|()| 1).map_err(SendError::Egress);
        }
        let mut sent = 0;
        for payload in segments.payload.chunks(len) {
            match emit(egress, now, path, &way, payload) {
                Ok(()) => sent += 1,
                Err(error) if sent == 0 => return Err(SendError::Egress(error)),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn way(
        &self,
        egress: &Egress,
        id: UdpId,
        local: Option<IpAddr>,
        remote: SocketAddr,
        ecn: Ecn,
    ) -> Result<Way, SendError> {
        let socket = self.sockets.get(id.0).ok_or(SendError::NotBound)?;
        let source = match local.or(socket.address) {
            Some(address) => egress.is_local(address).then_some(address),
            None => egress.select_source(remote.ip()),
        };
        let source = source.filter(|source| remote.port() != 0 && source.is_ipv4() == remote.is_ipv4());
        Ok(Way { port: socket.port, source: source.ok_or(SendError::Address)?, remote, ecn })
    }
}

fn emit(egress: &mut Egress, now: Instant, path: &mut PathCache, way: &Way, payload: &[u8]) -> Result<(), EgressError> {
    let mut frame = egress.alloc_counted().ok_or(EgressError::NoFrame)?;
    let len = HEADER_LEN + payload.len();
    let Some(out) = frame.extend(len) else { return Err(EgressError::TooBig) };
    out[..2].copy_from_slice(&way.port.to_be_bytes());
    out[2..4].copy_from_slice(&way.remote.port().to_be_bytes());
    out[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    // The sum is taken over a checksum of zero; a frame that was used before may hold anything.
    out[6..8].fill(0);
    out[HEADER_LEN..].copy_from_slice(payload);
    let offload = egress.tcp_checksum_offload();
    let (src, dst) = (way.source, way.remote.ip());
    checksum::fill_transport(src, dst, protocol::UDP, out, CHECKSUM_AT, offload);
    if offload {
        frame.tx_checksum = TxChecksum::Offload { start: 0, offset: CHECKSUM_AT as u16 };
    }
    egress.send(now, path, src, dst, protocol::UDP, way.ecn.bits(), frame)?;
    egress.counters.bump(IpCounter::TxDatagrams);
    Ok(())
}
