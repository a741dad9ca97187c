//! Frames to and from the segments of the scripts. Written against the RFCs and not against the stack, so that both
//! cannot share a mistake.

use std::net::IpAddr;

use crate::script::Damage;
use crate::segment::{Segment, TcpOption};

pub const STACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The two ends of a connection, as the peer sees them.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub peer: (IpAddr, u16),
    pub stack: (IpAddr, u16),
}

/// The frame in which the peer sends `segment` (numbers absolute) with `payload`.
pub fn encode(ends: &Ends, segment: &Segment, payload: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut tcp = Vec::new();
    let source_port = damage.iter().find_map(|damage| match damage {
        Damage::SourcePort(port) => Some(*port),
        _ => None,
    });
    tcp.extend(source_port.unwrap_or(ends.peer.1).to_be_bytes());
    tcp.extend(ends.stack.1.to_be_bytes());
    tcp.extend(segment.seq.to_be_bytes());
    tcp.extend(segment.ack.unwrap_or(0).to_be_bytes());
    tcp.extend([0, segment.flags]);
    tcp.extend(segment.window.unwrap_or(65_535).to_be_bytes());
    tcp.extend([0, 0]);
    tcp.extend(segment.urgent.to_be_bytes());
    for option in segment.options.iter().flatten() {
        encode_option(option, &mut tcp);
    }
    while tcp.len() % 4 != 0 {
        tcp.push(1);
    }
    tcp[12] = (tcp.len() / 4) as u8 * 16;
    tcp.extend(payload);
    for damage in damage {
        match *damage {
            Damage::DataOffset(words) => tcp[12] = words << 4,
            Damage::Truncate(bytes) => tcp.truncate(bytes),
            _ => {}
        }
    }
    if tcp.len() >= 18 {
        let checksum = !sum(&[&pseudo_header(ends, tcp.len()), &tcp]);
        let bad = if damage.contains(&Damage::BadChecksum) { 0x0101 } else { 0 };
        tcp[16..18].copy_from_slice(&(checksum ^ bad).to_be_bytes());
    }
    let ecn = damage.iter().find_map(|damage| match damage {
        Damage::Ecn(codepoint) => Some(*codepoint),
        _ => None,
    });
    packet(ends, 6, ecn.unwrap_or(0), &tcp)
}

fn encode_option(option: &TcpOption, out: &mut Vec<u8>) {
    match option {
        TcpOption::Mss(mss) => out.extend([2, 4, (mss >> 8) as u8, *mss as u8]),
        TcpOption::WindowScale(shift) => out.extend([3, 3, *shift]),
        TcpOption::SackPermitted => out.extend([4, 2]),
        TcpOption::Sack(blocks) => {
            out.extend([5, 2 + blocks.len() as u8 * 8]);
            for (from, to) in blocks {
                out.extend(from.to_be_bytes());
                out.extend(to.to_be_bytes());
            }
        }
        TcpOption::Timestamps { val, ecr } => {
            out.extend([8, 10]);
            out.extend(val.to_be_bytes());
            out.extend(ecr.to_be_bytes());
        }
        TcpOption::FastOpen(cookie) => {
            out.extend([34, 2 + cookie.len() as u8]);
            out.extend(cookie);
        }
        TcpOption::Raw(bytes) => out.extend(bytes),
    }
}

/// An ICMP error of a router about the segment that begins at `seq` (absolute), which the stack had sent.
pub fn encode_icmp(ends: &Ends, kind: (u8, u8), rest: [u8; 4], seq: u32) -> Vec<u8> {
    let back = Ends { peer: ends.stack, stack: ends.peer };
    let mut tcp = Vec::new();
    tcp.extend(ends.stack.1.to_be_bytes());
    tcp.extend(ends.peer.1.to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    let quoted = packet(&back, 6, 0, &tcp);
    let mut icmp = vec![kind.0, kind.1, 0, 0];
    icmp.extend(rest);
    icmp.extend(&quoted[14..]);
    let checksum = !sum(&[&icmp]);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet(ends, 1, 0, &icmp)
}

fn packet(ends: &Ends, protocol: u8, ecn: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [STACK_MAC, PEER_MAC].concat();
    match (ends.peer.0, ends.stack.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut ip = vec![0x45, ecn];
            ip.extend((20 + payload.len() as u16).to_be_bytes());
            ip.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            ip.extend(from.octets());
            ip.extend(to.octets());
            let checksum = !sum(&[&ip]);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend([8, 0]);
            frame.extend(ip);
        }
        (from, to) => {
            frame.extend([0x86, 0xdd, 0x60, ecn << 4, 0, 0]);
            frame.extend((payload.len() as u16).to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend(octets(from));
            frame.extend(octets(to));
        }
    }
    frame.extend(payload);
    frame
}

/// The ECN codepoint of a frame of the stack, which is IP.
pub fn ecn(frame: &[u8]) -> u8 {
    let byte = frame.get(15).copied().unwrap_or(0);
    if frame.get(12..14) == Some(&[8, 0]) { byte & 3 } else { byte >> 4 & 3 }
}

/// Reads a frame of the stack; checks every checksum and length. The error says what is wrong with it.
pub fn decode(ends: &Ends, frame: &[u8]) -> Result<(Segment, Vec<u8>), String> {
    if frame.get(..12) != Some(&[PEER_MAC, STACK_MAC].concat()[..]) {
        return Err("its Ethernet addresses are not the peer's and the stack's".into());
    }
    let tcp = match frame.get(12..14) {
        Some([8, 0]) => {
            let ip = &frame[14..];
            let length = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            if ip[0] != 0x45 || length != ip.len() || ip[9] != 6 || sum(&[&ip[..20]]) != 0xffff {
                return Err("it is no TCP over IPv4 with a right header".into());
            }
            if ip[12..16] != octets(ends.stack.0)[..] || ip[16..20] != octets(ends.peer.0)[..] {
                return Err("its IP addresses are not those of the connection".into());
            }
            &ip[20..]
        }
        Some([0x86, 0xdd]) => {
            let ip = &frame[14..];
            if usize::from(u16::from_be_bytes([ip[4], ip[5]])) != ip.len() - 40 || ip[6] != 6 {
                return Err("it is no TCP over IPv6 with a right header".into());
            }
            if ip[8..24] != octets(ends.stack.0)[..] || ip[24..40] != octets(ends.peer.0)[..] {
                return Err("its IP addresses are not those of the connection".into());
            }
            &ip[40..]
        }
        _ => return Err("it is not IP".into()),
    };
    if sum(&[&pseudo_header(ends, tcp.len()), tcp]) != 0xffff {
        return Err("its TCP checksum is wrong".into());
    }
    decode_tcp(ends, tcp)
}

fn decode_tcp(ends: &Ends, tcp: &[u8]) -> Result<(Segment, Vec<u8>), String> {
    let be16 = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let be32 = |at: usize| u32::from(be16(at)) << 16 | u32::from(be16(at + 2));
    if (be16(0), be16(2)) != (ends.stack.1, ends.peer.1) {
        return Err(format!("its ports are {} and {}", be16(0), be16(2)));
    }
    let header = usize::from(tcp[12] >> 4) * 4;
    let payload = tcp.get(header..).ok_or("its data offset is beyond its end")?;
    let flags = tcp[13];
    let segment = Segment {
        flags,
        seq: be32(4),
        length: payload.len() as u32,
        ack: (flags & 16 != 0).then(|| be32(8)),
        window: Some(be16(14)),
        options: Some(decode_options(&tcp[20..header])?),
        urgent: be16(18),
    };
    Ok((segment, payload.to_vec()))
}

fn decode_options(mut bytes: &[u8]) -> Result<Vec<TcpOption>, String> {
    let be32 = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut options = Vec::new();
    while let Some(&kind) = bytes.first() {
        let length = match kind {
            0 => break,
            1 => {
                bytes = &bytes[1..];
                continue;
            }
            _ => usize::from(*bytes.get(1).ok_or("an option is cut off")?),
        };
        let value = bytes.get(2..length).ok_or("an option has an impossible length")?;
        options.push(match (kind, value.len()) {
            (2, 2) => TcpOption::Mss(u16::from_be_bytes([value[0], value[1]])),
            (3, 1) => TcpOption::WindowScale(value[0]),
            (4, 0) => TcpOption::SackPermitted,
            (5, n) if n % 8 == 0 => {
                TcpOption::Sack(value.chunks(8).map(|block| (be32(block), be32(&block[4..]))).collect())
            }
            (34, _) => TcpOption::FastOpen(value.to_vec()),
            (8, 8) => TcpOption::Timestamps { val: be32(value), ecr: be32(&value[4..]) },
            _ => TcpOption::Raw(bytes[..length].to_vec()),
        });
        bytes = &bytes[length..];
    }
    Ok(options)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// RFC 9293 §3.1, RFC 8200 §8.1; the order of the addresses does not change the sum.
fn pseudo_header(ends: &Ends, length: usize) -> Vec<u8> {
    let mut header = [octets(ends.peer.0), octets(ends.stack.0)].concat();
    header.extend((length as u32).to_be_bytes());
    header.extend([0, 0, 0, 6]);
    header
}

/// RFC 1071.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut total = 0u32;
    for word in parts.iter().flat_map(|part| part.chunks(2)) {
        total += u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0));
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}
