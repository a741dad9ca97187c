//! How a NIC spreads packets over its queues, as its driver tells: key, indirection table and hashed fields, read and
//! never written.
//!
//! ```text
//!   ETHTOOL_GRSSH ─▶ hash function · key · table ─┐
//!   ETHTOOL_GRXFH ─▶ fields of TCP and UDP ───────┴─▶ Steering, or nothing when any of it is not plain Toeplitz
//! ```
//!
//! A veth has none of it, nor do some virtual functions. What is told is believed until packets come elsewhere (see
//! [`netstack::FlowDirectory::trusts_steering`]).

use std::io;

use netstack::rss::{HashFields, Steering};

use crate::link::LinkQuery;

const ETHTOOL_GRXFH: u32 = 0x29;
const ETHTOOL_GRSSH: u32 = 0x46;
/// `ETH_RSS_HASH_TOP`: Toeplitz.
const HASH_TOEPLITZ: u8 = 1;
/// Words of `struct ethtool_rxfh` before table and key: command, context, both sizes, function and transform, reserved.
const HEADER_WORDS: usize = 6;
/// The largest table and key that are read; those of NICs have 2,048 entries and 52 bytes at most.
const MAX_TABLE: u32 = 65_536;
const MAX_KEY_BYTES: u32 = 256;
/// `TCP_V4_FLOW`, `TCP_V6_FLOW`.
const TCP_FLOWS: [u32; 2] = [1, 5];
/// `UDP_V4_FLOW`, `UDP_V6_FLOW`.
const UDP_FLOWS: [u32; 2] = [2, 6];
/// `RXH_IP_SRC | RXH_IP_DST`.
const ADDRESSES: u64 = 1 << 4 | 1 << 5;
/// `RXH_L4_B_0_1 | RXH_L4_B_2_3`.
const PORTS: u64 = 1 << 6 | 1 << 7;

/// How `name` steers, seen from queue 0; `None` when its driver does not say, or does something else than Toeplitz.
pub(crate) fn steering(links: &LinkQuery, name: &str) -> Option<Steering> {
    let answer = configuration(links, name).ok()?;
    let tcp = fields(links, name, TCP_FLOWS)?;
    // UDP has no active opens: where its fields are unknown, TCP's steering is none the worse.
    let udp = fields(links, name, UDP_FLOWS).unwrap_or(HashFields::Addresses);
    Some(parse(&answer)?.hashing(tcp, udp))
}

/// Asks for the sizes, then for key and table.
fn configuration(links: &LinkQuery, name: &str) -> io::Result<Vec<u32>> {
    let mut sizes = [0; HEADER_WORDS];
    sizes[0] = ETHTOOL_GRSSH;
    links.ethtool(name, sizes.as_mut_ptr().cast())?;
    let [_, _, table, key, ..] = sizes;
    if table == 0 || key == 0 || table > MAX_TABLE || key > MAX_KEY_BYTES {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut answer = vec![0; HEADER_WORDS + table as usize + (key as usize).div_ceil(4)];
    answer[..4].copy_from_slice(&[ETHTOOL_GRSSH, 0, table, key]);
    // The kernel refuses sizes other than the device's, so it writes no more than there is room for.
    links.ethtool(name, answer.as_mut_ptr().cast())?;
    Ok(answer)
}

/// Reads a `struct ethtool_rxfh` with its table and key.
fn parse(answer: &[u32]) -> Option<Steering> {
    let (&[_, _, table, key_bytes, function, _], rest) = answer.split_first_chunk::<HEADER_WORDS>()?;
    // The second byte is a transform of the input (a symmetric hash) where the kernel knows of such.
    let [function, transform, ..] = function.to_ne_bytes();
    if function != HASH_TOEPLITZ || transform != 0 {
        return None;
    }
    let (table, key) = rest.split_at_checked(table as usize)?;
    let key: Vec<u8> = key.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let table = table.iter().map(|&queue| u16::try_from(queue).ok()).collect::<Option<Vec<u16>>>()?;
    Steering::new(key.get(..key_bytes as usize)?, table, 0).ok()
}

/// The fields that are hashed for both families; `None` when they differ, or are none that we know.
fn fields(links: &LinkQuery, name: &str, flows: [u32; 2]) -> Option<HashFields> {
    let [v4, v6] = flows.map(|flow| {
        // `struct ethtool_rxnfc`: 192 bytes, of which command, flow type and the 64 bits behind them are used here.
        let mut request = [0u64; 24];
        let [cmd, kind] = [ETHTOOL_GRXFH, flow].map(u32::to_ne_bytes);
        request[0] = u64::from_ne_bytes([cmd[0], cmd[1], cmd[2], cmd[3], kind[0], kind[1], kind[2], kind[3]]);
        links.ethtool(name, request.as_mut_ptr().cast()).ok().and_then(|()| known_fields(request[1]))
    });
    v4.filter(|_| v4 == v6)
}

fn known_fields(bits: u64) -> Option<HashFields> {
    match bits {
        _ if bits == ADDRESSES => Some(HashFields::Addresses),
        _ if bits == ADDRESSES | PORTS => Some(HashFields::AddressesAndPorts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a driver with four queues and a key of 40 bytes would answer.
    fn answer(function: u8, transform: u8) -> Vec<u32> {
        let header = [ETHTOOL_GRSSH, 0, 128, 40, u32::from_ne_bytes([function, transform, 0, 0]), 0];
        let key = (0..10).map(|word: u32| u32::from_ne_bytes([1, 2, 3, word as u8]));
        header.into_iter().chain((0..128).map(|entry| entry % 4)).chain(key).collect()
    }

    #[test]
    fn key_and_table_stand_behind_the_header() {
        let steering = parse(&answer(HASH_TOEPLITZ, 0)).unwrap();
        let key: Vec<u8> = (0..10).flat_map(|word| [1, 2, 3, word]).collect();
        assert_eq!(steering, Steering::new(&key, (0..128).map(|entry| entry % 4).collect(), 0).unwrap());
    }

    #[test]
    fn other_functions_symmetric_ones_and_short_answers_are_unknown() {
        assert_eq!(parse(&answer(2, 0)), None);
        assert_eq!(parse(&answer(HASH_TOEPLITZ, 1)), None);
        let whole = answer(HASH_TOEPLITZ, 0);
        assert!((0..whole.len()).all(|len| parse(&whole[..len]).is_none()));
    }

    #[test]
    fn fields_are_addresses_or_all_four() {
        assert_eq!(known_fields(ADDRESSES | PORTS), Some(HashFields::AddressesAndPorts));
        assert_eq!(known_fields(ADDRESSES), Some(HashFields::Addresses));
        assert_eq!(known_fields(ADDRESSES | 1 << 6), None);
        assert_eq!(known_fields(0), None);
    }

    #[test]
    fn the_loopback_interface_steers_nothing() {
        assert_eq!(steering(&LinkQuery::open().unwrap(), "lo"), None);
    }
}
