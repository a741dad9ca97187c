//! Receive-side scaling in software: the Toeplitz hash, the queue that a NIC picks with it, and the search for a
//! source port whose replies come to the own queue.
//!
//! The hash is linear over GF(2), so the port search hashes the fixed part once and adds the contribution of the port
//! only: a few nanoseconds a candidate.

use core::net::IpAddr;

/// Bytes of the longest key that NICs use (Intel's; a 40-byte key is used with its end repeated never reached).
const MAX_KEY: usize = 52;
/// Longest input: two IPv6 addresses and two ports.
const MAX_INPUT: usize = 36;

/// What is known of a port's RSS: enough to tell the queue of any segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Steering {
    key: [u8; MAX_KEY],
    indirection: Vec<u16>,
    queue: u16,
}

/// A steering description that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SteeringError {
    /// The key is shorter than 40 or longer than 52 bytes.
    KeyLength,
    /// The indirection table is empty or its length is no power of two.
    Indirection,
}

impl core::fmt::Display for SteeringError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            SteeringError::KeyLength => "an RSS key has 40 to 52 bytes",
            SteeringError::Indirection => "an RSS indirection table has 2^n entries",
        })
    }
}

impl core::error::Error for SteeringError {}

impl Steering {
    /// `key` and `indirection` as the NIC has them; `queue` is the one of this worker.
    pub fn new(key: &[u8], indirection: Vec<u16>, queue: u16) -> Result<Steering, SteeringError> {
        if !(MAX_INPUT + 4..=MAX_KEY).contains(&key.len()) {
            return Err(SteeringError::KeyLength);
        }
        if !indirection.len().is_power_of_two() {
            return Err(SteeringError::Indirection);
        }
        let mut padded = [0; MAX_KEY];
        padded[..key.len()].copy_from_slice(key);
        Ok(Steering { key: padded, indirection, queue })
    }

    /// The worker's own queue.
    pub fn own_queue(&self) -> u16 {
        self.queue
    }

    /// The hash of a segment from `src` to `dst`: addresses and ports as they stand on the wire.
    pub fn hash(&self, src: IpAddr, dst: IpAddr, src_port: u16, dst_port: u16) -> u32 {
        let mut input = [0; MAX_INPUT];
        let n = fill(&mut input, src, dst, src_port, dst_port);
        toeplitz(&self.key, &input[..n])
    }

    /// The queue to which such a segment comes.
    pub fn queue(&self, src: IpAddr, dst: IpAddr, src_port: u16, dst_port: u16) -> u16 {
        self.queue_of_hash(self.hash(src, dst, src_port, dst_port))
    }

    fn queue_of_hash(&self, hash: u32) -> u16 {
        self.indirection.get(hash as usize & (self.indirection.len() - 1)).copied().unwrap_or(0)
    }

    /// Prepares the search for local ports of connections to one remote end.
    pub fn ports_to(&self, local: IpAddr, remote: IpAddr, remote_port: u16) -> PortSearch<'_> {
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
    pub fn is_ours(&self, port: u16) -> bool {
        let mut hash = self.fixed;
        for (bit, value) in self.contribution.iter().enumerate() {
            if port & (0x8000 >> bit) != 0 {
                hash ^= value;
            }
        }
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
        for (src, sport, dst, dport, hash) in [
            ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x51cc_c178),
            ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xc626_b0ea),
            ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x4020_7d3d),
            ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xdde5_1bbf),
        ] {
            assert_eq!(steering.hash(src.parse().unwrap(), dst.parse().unwrap(), sport, dport), hash);
        }
    }

    #[test]
    fn the_port_search_agrees_with_the_hash() {
        for (local, remote) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            let steering = steering(4, 3);
            let search = steering.ports_to(local, remote, 80);
            let ours: Vec<u16> = (1024..=65_535).filter(|&port| search.is_ours(port)).collect();
            assert!(ours.iter().all(|&port| steering.queue(remote, local, 80, port) == 3));
            assert!((12_000..20_000).contains(&ours.len()), "{}", ours.len());
        }
    }

    #[test]
    fn broken_descriptions_are_refused() {
        assert_eq!(Steering::new(&[0; 16], vec![0], 0), Err(SteeringError::KeyLength));
        assert_eq!(Steering::new(&KEY, vec![0, 1, 2], 0), Err(SteeringError::Indirection));
    }
}
