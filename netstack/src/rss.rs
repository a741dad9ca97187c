//! Receive-side scaling in software: the Toeplitz hash, the queue that a NIC picks with it, and the search for a
//! source port whose replies come to the own queue.
//!
//! The hash is linear over GF(2), so the port search hashes the fixed part once and adds the contribution of the port
//! only: a few nanoseconds a candidate.

use core::net::IpAddr;

/// Bytes of the longest key that NICs use (Intel's). 40 are enough for the longest input.
const MAX_KEY: usize = 52;
/// Longest input: two IPv6 addresses and two ports.
const MAX_INPUT: usize = 36;

/// What of a packet a NIC hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashFields {
    /// Source and destination address.
    Addresses,
    /// Addresses and ports.
    AddressesAndPorts,
}

/// The transports that a NIC may treat apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What is known of a port's RSS: enough to tell the queue of any segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Steering {
    key: [u8; MAX_KEY],
    indirection: Vec<u16>,
    queue: u16,
    tcp: HashFields,
    udp: HashFields,
}

/// A steering description that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SteeringError {
    /// The key is shorter than 40 or longer than 52 bytes.
    KeyLength,
    /// The indirection table is empty.
    Indirection,
}

impl core::fmt::Display for SteeringError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            SteeringError::KeyLength => "an RSS key has 40 to 52 bytes",
            SteeringError::Indirection => "an RSS indirection table has at least one entry",
        })
    }
}

impl core::error::Error for SteeringError {}

impl Steering {
    /// `key` and `indirection` as the NIC has them; `queue` is the one of this worker. TCP and UDP are hashed with
    /// their ports; see [`Steering::hashing`].
    pub fn new(key: &[u8], indirection: Vec<u16>, queue: u16) -> Result<Steering, SteeringError> {
        if !(MAX_INPUT + 4..=MAX_KEY).contains(&key.len()) {
            return Err(SteeringError::KeyLength);
        }
        if indirection.is_empty() {
            return Err(SteeringError::Indirection);
        }
        let mut padded = [0; MAX_KEY];
        padded[..key.len()].copy_from_slice(key);
        let fields = HashFields::AddressesAndPorts;
        Ok(Steering { key: padded, indirection, queue, tcp: fields, udp: fields })
    }

    /// The same with other fields in the hashes of TCP and UDP; many NICs leave the ports of UDP out, because the
    /// fragments of a datagram would else go to other queues than whole ones.
    #[must_use]
    pub fn hashing(self, tcp: HashFields, udp: HashFields) -> Steering {
        Steering { tcp, udp, ..self }
    }

    /// The same, seen from another queue.
    #[must_use]
    pub fn seen_from(&self, queue: u16) -> Steering {
        Steering { queue, ..self.clone() }
    }

    /// The worker's own queue.
    pub fn own_queue(&self) -> u16 {
        self.queue
    }

    /// The hash of addresses and ports as they stand on the wire.
    pub fn hash(&self, src: IpAddr, dst: IpAddr, src_port: u16, dst_port: u16) -> u32 {
        let mut input = [0; MAX_INPUT];
        let n = fill(&mut input, src, dst, src_port, dst_port);
        toeplitz(&self.key, &input[..n])
    }

    /// The hash of the addresses alone: of fragments, of what is neither TCP nor UDP, and of those where the NIC leaves
    /// the ports out.
    pub fn hash_of_addresses(&self, src: IpAddr, dst: IpAddr) -> u32 {
        let mut input = [0; MAX_INPUT];
        let n = fill(&mut input, src, dst, 0, 0) - 4;
        toeplitz(&self.key, &input[..n])
    }

    /// The queue to which a segment or datagram from `src` to `dst` comes.
    pub fn queue(&self, transport: Transport, src: IpAddr, dst: IpAddr, src_port: u16, dst_port: u16) -> u16 {
        let fields = match transport {
            Transport::Tcp => self.tcp,
            Transport::Udp => self.udp,
        };
        match fields {
            HashFields::AddressesAndPorts => self.queue_of_hash(self.hash(src, dst, src_port, dst_port)),
            HashFields::Addresses => self.queue_of_addresses(src, dst),
        }
    }

    /// The queue to which a packet without ports from `src` to `dst` comes.
    pub fn queue_of_addresses(&self, src: IpAddr, dst: IpAddr) -> u16 {
        self.queue_of_hash(self.hash_of_addresses(src, dst))
    }

    /// Tables have 2ⁿ entries in most NICs, which makes this the low bits of the hash; others divide.
    #[inline]
    fn queue_of_hash(&self, hash: u32) -> u16 {
        self.indirection.get(hash as usize % self.indirection.len().max(1)).copied().unwrap_or(0)
    }

    /// Prepares the search for local ports of TCP connections to one remote end.
    pub fn ports_to(&self, local: IpAddr, remote: IpAddr, remote_port: u16) -> PortSearch<'_> {
        if self.tcp == HashFields::Addresses {
            // The port changes nothing: all of them are ours, or none is.
            let fixed = self.hash_of_addresses(remote, local);
            return PortSearch { steering: self, fixed, contribution: [0; 16] };
        }
        let mut input = [0; MAX_INPUT];
        // The reply travels from the remote end to us.
        let n = fill(&mut input, remote, local, remote_port, 0);
        let fixed = toeplitz(&self.key, &input[..n]);
        let first_bit = (n - 2) * 8;
        let contribution = core::array::from_fn(|bit| window(&self.key, first_bit + bit));
        PortSearch { steering: self, fixed, contribution }
    }
}

/// Tells for which local ports the replies of one peer come to the own queue.
#[derive(Debug)]
pub struct PortSearch<'a> {
    steering: &'a Steering,
    fixed: u32,
    /// The hash of each bit of the port, most significant first.
    contribution: [u32; 16],
}

impl PortSearch<'_> {
    /// True when replies to `port` come to the own queue.
    #[inline]
    pub fn is_ours(&self, port: u16) -> bool {
        let bits = (0u32..).zip(self.contribution);
        // Without branches: bits of ports cannot be predicted.
        let hash = bits.fold(self.fixed, |hash, (bit, value)| hash ^ (value * u32::from(port >> (15 - bit) & 1)));
        self.steering.queue_of_hash(hash) == self.steering.queue
    }
}

fn fill(input: &mut [u8; MAX_INPUT], src: IpAddr, dst: IpAddr, src_port: u16, dst_port: u16) -> usize {
    let at = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            input[..4].copy_from_slice(&src.octets());
            input[4..8].copy_from_slice(&dst.octets());
            8
        }
        (src, dst) => {
            input[..16].copy_from_slice(&crate::tcp::tuple::octets(src));
            input[16..32].copy_from_slice(&crate::tcp::tuple::octets(dst));
            32
        }
    };
    input[at..at + 2].copy_from_slice(&src_port.to_be_bytes());
    input[at + 2..at + 4].copy_from_slice(&dst_port.to_be_bytes());
    at + 4
}

/// The 32 bits of the key that begin at `bit`.
fn window(key: &[u8; MAX_KEY], bit: usize) -> u32 {
    let byte = bit / 8;
    let mut wide = 0u64;
    for offset in 0..5 {
        wide = wide << 8 | u64::from(key.get(byte + offset).copied().unwrap_or(0));
    }
    (wide >> (8 - bit % 8)) as u32
}

fn toeplitz(key: &[u8; MAX_KEY], input: &[u8]) -> u32 {
    let mut hash = 0;
    for (position, byte) in input.iter().enumerate() {
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                hash ^= window(key, position * 8 + bit);
            }
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verification suite that Microsoft publishes with the RSS specification.
    const KEY: [u8; 40] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
        0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
        0xbe, 0xac, 0x01, 0xfa,
    ];

    fn steering(queues: u16, queue: u16) -> Steering {
        Steering::new(&KEY, (0..128).map(|i| i % queues).collect(), queue).unwrap()
    }

    #[test]
    fn it_agrees_with_the_published_vectors() {
        let steering = steering(1, 0);
        for (src, sport, dst, dport, addresses, with_ports) in [
            ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323e_8fc2, 0x51cc_c178),
            ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xd718_262a, 0xc626_b0ea),
            ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xd2d0_a5de, 0x5c2b_394a),
            ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x8298_9176, 0xafc7_327f),
            ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5d18_09c5, 0x10e8_28a2),
            ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2cc1_8cd5, 0x4020_7d3d),
            ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0f0c_461c, 0xdde5_1bbf),
            ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4b61_e985, 0x02d1_feef),
        ] {
            let (from, to) = (src.parse().unwrap(), dst.parse().unwrap());
            assert_eq!(steering.hash_of_addresses(from, to), addresses, "{src}");
            assert_eq!(steering.hash(from, to, sport, dport), with_ports, "{src}");
        }
    }

    /// Woo and Park: a key of one repeated 16-bit word sends both directions of a flow to one queue.
    #[test]
    fn a_repeating_key_is_symmetric() {
        let key: Vec<u8> = [0x6d, 0x5a].repeat(20);
        let steering = Steering::new(&key, vec![0, 1, 2, 3], 0).unwrap();
        for [a, b] in [["10.1.2.3", "192.0.2.99"], ["fd00::17:1", "2001:db8::2"]] {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(steering.hash(a, b, 80, 41_234), steering.hash(b, a, 41_234, 80));
            assert_eq!(steering.hash_of_addresses(a, b), steering.hash_of_addresses(b, a));
        }
    }

    #[test]
    fn the_port_search_agrees_with_the_hash() {
        for (local, remote) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            // A table of a power of two, and one that is none.
            for steering in [steering(4, 3), Steering::new(&KEY, (0..100).map(|i| i % 4).collect(), 3).unwrap()] {
                let search = steering.ports_to(local, remote, 80);
                let ours: Vec<u16> = (1024..=65_535).filter(|&port| search.is_ours(port)).collect();
                assert!(ours.iter().all(|&port| steering.queue(Transport::Tcp, remote, local, 80, port) == 3));
                assert!((12_000..20_000).contains(&ours.len()), "{}", ours.len());
            }
        }
    }

    #[test]
    fn fields_are_those_of_the_transport() {
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let steering = steering(8, 0).hashing(HashFields::AddressesAndPorts, HashFields::Addresses);
        let queues = |transport| (0..64).map(move |port| (transport, port));
        let by_address = steering.queue_of_addresses(a, b);
        assert!(queues(Transport::Udp).all(|(udp, port)| steering.queue(udp, a, b, port, 53) == by_address));
        assert!(!queues(Transport::Tcp).all(|(tcp, port)| steering.queue(tcp, a, b, port, 53) == by_address));
        // Then the port does not matter: every one is ours on one queue, and none on the others.
        let steering = steering.hashing(HashFields::Addresses, HashFields::Addresses);
        let ours = |queue| (0..=u16::MAX).filter(|&p| steering.seen_from(queue).ports_to(b, a, 80).is_ours(p)).count();
        assert_eq!(ours(by_address), 65_536);
        assert_eq!(ours((by_address + 1) % 8), 0);
    }

    #[test]
    fn broken_descriptions_are_refused() {
        assert_eq!(Steering::new(&[0; 16], vec![0], 0), Err(SteeringError::KeyLength));
        assert_eq!(Steering::new(&KEY, Vec::new(), 0), Err(SteeringError::Indirection));
    }
}
