//! Packets for the tests of this crate.

use netstack::{Frame, FramePool};

use netstack::frame::TxChecksum;
use netstack::ip::checksum::{Sum, fill_transport, pseudo_header};

/// An Ethernet frame with IPv4, the ECN field `ecn`, UDP ports and a payload; checksums are right.
pub fn udp4(ecn: u8, source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut udp = Vec::new();
    udp.extend(ports.0.to_be_bytes());
    udp.extend(ports.1.to_be_bytes());
    udp.extend(((8 + payload.len()) as u16).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    fill_transport(source.into(), destination.into(), 17, &mut udp, 6, false);
    ip4(ecn, source, destination, 17, &udp)
}

/// An Ethernet frame with IPv4 around `payload`.
pub fn ip4(ecn: u8, source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, ecn];
    ip.extend(((20 + payload.len()) as u16).to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    ip.extend(source);
    ip.extend(destination);
    let sum = Sum::default().add_bytes(&ip).complement();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    ip.extend(payload);
    ethernet(0x0800, &ip)
}

/// An Ethernet frame between two fixed addresses.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `bytes` in a frame of `pool`.
pub fn frame(pool: &FramePool, bytes: &[u8]) -> Frame {
    let mut frame = pool.alloc().expect("a free frame");
    frame.extend(bytes.len()).expect("room").copy_from_slice(bytes);
    frame
}

/// A frame of [`udp4`] whose checksum is left to the port.
pub fn partial(pool: &FramePool, mut udp4: Vec<u8>) -> Frame {
    let (source, destination) = ([udp4[26], udp4[27], udp4[28], udp4[29]], [udp4[30], udp4[31], udp4[32], udp4[33]]);
    let pseudo = pseudo_header(source.into(), destination.into(), 17, udp4.len() - 34).fold();
    udp4[40..42].copy_from_slice(&pseudo.to_be_bytes());
    let mut frame = frame(pool, &udp4);
    frame.tx_checksum = TxChecksum::Offload { start: 34, offset: 6 };
    frame
}
