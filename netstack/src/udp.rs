//! UDP (RFC 768, RFC 8085): sockets bound by address and port, datagrams as owned frames in one bounded queue.

mod send;

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::config::IpLimits;
use crate::counters::IpCounter;
use crate::frame::Frame;
use crate::icmp::ErrorKind;
use crate::ip::keyed_hash::KeyedHash;
use crate::ip::{Ecn, Egress, IpMeta, checksum, protocol};
use crate::rng::Seed;
use crate::slab::{Key, Slab};
use crate::time::Instant;

pub use send::Segments;

/// Bytes of the UDP header.
pub const HEADER_LEN: usize = 8;
pub(crate) const CHECKSUM_AT: usize = 6;

/// A bound UDP socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct UdpId(Key);

/// A received datagram.
#[derive(Debug)]
pub struct Datagram {
    /// The socket it was for.
    pub socket: UdpId,
    /// Which address and port of ours it came to.
    pub local: SocketAddr,
    /// Who sent it.
    pub remote: SocketAddr,
    /// How its IP header was marked.
    pub ecn: Ecn,
    /// The payload, and nothing else.
    pub payload: Frame,
}

/// An ICMP error about a datagram that a socket sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpError {
    /// The socket that sent it.
    pub socket: UdpId,
    /// Where from.
    pub local: SocketAddr,
    /// Where to.
    pub remote: SocketAddr,
    /// What happened.
    pub kind: ErrorKind,
}

/// Why a socket could not be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindError {
    /// Another socket has this address and port.
    InUse,
    /// The address is not ours.
    NotLocal,
    /// Port 0 cannot be bound.
    PortZero,
    /// The limit of sockets is reached.
    Limit,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BindError::InUse => "another socket is bound to this address and port",
            BindError::NotLocal => "the address is not one of this stack",
            BindError::PortZero => "a UDP socket needs a port other than 0",
            BindError::Limit => "the limit udp_sockets is reached",
        })
    }
}

impl core::error::Error for BindError {}

/// Why a datagram was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The socket is not bound any more.
    NotBound,
    /// No address of ours reaches the remote one, the given one is not ours, or the remote port is 0.
    Address,
    /// Larger than a packet to that destination may be; the most bytes of payload that fit are given.
    TooBig(usize),
    /// No frame is free, the queue is full, or the way is not known.
    Egress(crate::ip::EgressError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::NotBound => f.write_str("the socket is not bound"),
            SendError::Address => f.write_str("no usable source address, or remote port 0"),
            SendError::TooBig(most) => write!(f, "the datagram exceeds the {most} bytes that fit the path"),
            SendError::Egress(_) => f.write_str("the datagram could not leave"),
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SendError::Egress(inner) => Some(inner),
            _ => None,
        }
    }
}

struct Socket {
    address: Option<IpAddr>,
    port: u16,
}

/// What became of a received datagram.
pub(crate) enum Received {
    /// It is queued.
    Queued,
    /// Nobody listens; the frame comes back, to be quoted.
    PortClosed(Frame),
}

/// All UDP sockets of one stack.
pub(crate) struct Udp {
    sockets: Slab<Socket>,
    index: HashTable<(Option<IpAddr>, u16, Key)>,
    hash: KeyedHash,
    queue: VecDeque<Datagram>,
    errors: VecDeque<UdpError>,
    max_sockets: usize,
    max_queue: usize,
    max_errors: usize,
}

impl Udp {
    pub(crate) fn new(limits: &IpLimits, seed: &Seed) -> Udp {
        Udp {
            sockets: Slab::with_capacity(0),
            index: HashTable::new(),
            hash: KeyedHash::new(seed, 0x0075_6470),
            queue: VecDeque::new(),
            errors: VecDeque::new(),
            max_sockets: limits.udp_sockets,
            max_queue: limits.udp_datagrams,
            max_errors: limits.udp_errors,
        }
    }

    pub(crate) fn bind(&mut self, egress: &Egress, address: Option<IpAddr>, port: u16) -> Result<UdpId, BindError> {
        if port == 0 {
            return Err(BindError::PortZero);
        }
        if address.is_some_and(|address| !egress.is_local(address)) {
            return Err(BindError::NotLocal);
        }
        if self.lookup(address, port).is_some() {
            return Err(BindError::InUse);
        }
        if self.sockets.len() >= self.max_sockets {
            return Err(BindError::Limit);
        }
        let key = self.sockets.insert(Socket { address, port });
        let hash = self.hash;
        self.index.insert_unique(hash_port(&hash, address, port), (address, port, key), |(address, port, _)| {
            hash_port(&hash, *address, *port)
        });
        Ok(UdpId(key))
    }

    /// Forgets the socket. Datagrams of it that are queued are still handed out.
    pub(crate) fn unbind(&mut self, id: UdpId) {
        if let Some(socket) = self.sockets.remove(id.0) {
            let hash = hash_port(&self.hash, socket.address, socket.port);
            if let Ok(entry) = self.index.find_entry(hash, |(_, _, key)| *key == id.0) {
                entry.remove();
            }
        }
    }

    fn lookup(&self, address: Option<IpAddr>, port: u16) -> Option<Key> {
        let hash = hash_port(&self.hash, address, port);
        self.index.find(hash, |(known, known_port, _)| *known == address && *known_port == port).map(|(_, _, key)| *key)
    }

    /// The socket for a local address and port: one bound to the address before one bound to all.
    fn find(&self, local: SocketAddr) -> Option<UdpId> {
        self.lookup(Some(local.ip()), local.port()).or_else(|| self.lookup(None, local.port())).map(UdpId)
    }

    /// Handles a UDP packet: `frame` begins with the IP header, the UDP header lies at `at`.
    pub(crate) fn handle(
        &mut self,
        egress: &mut Egress,
        meta: &IpMeta,
        mut frame: Frame,
        at: usize,
    ) -> Result<Received, IpCounter> {
        let packet = frame.data().get(at..).ok_or(IpCounter::DropUdpMalformed)?;
        let head = packet.first_chunk::<HEADER_LEN>().ok_or(IpCounter::DropUdpMalformed)?;
        let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let datagram = packet.get(..len).filter(|_| len >= HEADER_LEN).ok_or(IpCounter::DropUdpMalformed)?;
        if head[6..8] == [0, 0] {
            // RFC 768: no checksum; RFC 8200 §8.1: not with IPv6.
            if meta.src.is_ipv6() {
                return Err(IpCounter::DropUdpChecksumMissing);
            }
        } else if !checksum::verify_transport(
            meta.src,
            meta.dst,
            protocol::UDP,
            datagram,
            CHECKSUM_AT,
            frame.rx_checksum,
        ) {
            return Err(IpCounter::DropUdpChecksum);
        }
        let remote = SocketAddr::new(meta.src, u16::from_be_bytes([head[0], head[1]]));
        let local = SocketAddr::new(meta.dst, u16::from_be_bytes([head[2], head[3]]));
        let Some(socket) = self.find(local) else { return Ok(Received::PortClosed(frame)) };
        if self.queue.len() >= self.max_queue {
            return Err(IpCounter::DropUdpQueueFull);
        }
        if !egress.answer_arp {
            egress.learn_from_ingress(meta.src, meta.ingress_mac);
        }
        frame.truncate(at + len);
        frame.trim_front(at + HEADER_LEN);
        self.queue.push_back(Datagram { socket, local, remote, ecn: Ecn::from_bits(meta.ecn), payload: frame });
        egress.counters.bump(IpCounter::RxDatagrams);
        Ok(Received::Queued)
    }

    /// An ICMP error about a datagram: told to the socket that could have sent it.
    pub(crate) fn handle_error(
        &mut self,
        egress: &mut Egress,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        kind: ErrorKind,
    ) -> Result<(), IpCounter> {
        let socket = self.find(local).ok_or(IpCounter::DropIcmpQuote)?;
        if let ErrorKind::PacketTooBig { mtu } = kind {
            egress.note_path_mtu(now, remote.ip(), mtu);
        }
        if self.errors.len() >= self.max_errors {
            return Err(IpCounter::DropUdpErrorQueueFull);
        }
        self.errors.push_back(UdpError { socket, local, remote, kind });
        Ok(())
    }

    pub(crate) fn poll_datagram(&mut self) -> Option<Datagram> {
        self.queue.pop_front()
    }

    /// Moves up to `max` datagrams to `out`; how many.
    pub(crate) fn poll_datagrams(&mut self, out: &mut Vec<Datagram>, max: usize) -> usize {
        let count = self.queue.len().min(max);
        out.extend(self.queue.drain(..count));
        count
    }

    pub(crate) fn poll_error(&mut self) -> Option<UdpError> {
        self.errors.pop_front()
    }
}

fn hash_port(hash: &KeyedHash, address: Option<IpAddr>, port: u16) -> u64 {
    match address {
        Some(address) => hash.address(address, u64::from(port)),
        None => hash.address(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), u64::from(port) | 1 << 32),
    }
}

/// The payload of the datagram at `at` when it is for `port`; its checksum is looked at elsewhere.
pub(crate) fn payload_for(packet: &[u8], at: usize, port: u16) -> Option<&[u8]> {
    let datagram = packet.get(at..)?;
    let head = datagram.first_chunk::<HEADER_LEN>()?;
    let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
    datagram.get(HEADER_LEN..len).filter(|_| head[2..4] == port.to_be_bytes())
}

/// True when the checksum of the datagram that `frame` holds is right, or there is none (RFC 768).
pub(crate) fn is_intact(src: IpAddr, dst: IpAddr, frame: &Frame) -> bool {
    let data = frame.data();
    let Some(head) = data.first_chunk::<HEADER_LEN>() else { return false };
    let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let Some(datagram) = data.get(..len).filter(|_| len >= HEADER_LEN) else { return false };
    head[6..] == [0, 0] || checksum::verify_transport(src, dst, protocol::UDP, datagram, CHECKSUM_AT, frame.rx_checksum)
}

/// Writes the header of a datagram that fills `out`, its checksum still zero.
pub(crate) fn write_header(out: &mut [u8], ports: (u16, u16)) {
    let len = out.len() as u16;
    if let Some(head) = out.first_chunk_mut::<HEADER_LEN>() {
        head[..2].copy_from_slice(&ports.0.to_be_bytes());
        head[2..4].copy_from_slice(&ports.1.to_be_bytes());
        head[4..6].copy_from_slice(&len.to_be_bytes());
        head[6..].fill(0);
    }
}
