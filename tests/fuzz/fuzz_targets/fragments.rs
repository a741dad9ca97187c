//! Fragments of a few datagrams, IPv4 and IPv6, in any order, size and overlap.

#![no_main]

#[path = "host/frames.rs"]
mod frames;
#[path = "stack_frames/program.rs"]
mod program;
#[path = "host/rig.rs"]
mod rig;

use libfuzzer_sys::fuzz_target;

use frames::{PEER4, PEER6, US4, US6};
use program::Program;
use rig::Rig;

const OPERATIONS: usize = 300;

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    let mut rig = Rig::new(program.byte() & !0x06);
    rig.exchange();
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        operate(&mut rig, operation, &mut program);
        // The application fetches what arrives only now and then, so that buffers run out, too.
        if operation & 0x40 == 0 {
            rig.exchange();
        }
    }
    rig.end();
});

fn operate(rig: &mut Rig, operation: u8, program: &mut Program<'_>) {
    let which = u16::from(program.byte() % 4);
    match operation % 8 {
        0 => rig.wait(u64::from(program.word()) * 10),
        // A part of a good datagram, whole parts of 64 bytes.
        1..=4 => {
            let (v6, parts) = (operation & 1 == 0, usize::from(program.byte() % 8) + 1);
            let datagram = datagram(v6, 64 * parts);
            let part = usize::from(program.byte()) % (parts + 1);
            let (from, to) = (64 * part, (64 * (part + 1)).min(datagram.len()));
            let payload = datagram.get(from..to).unwrap_or_default();
            rig.receive(&fragment(v6, which, from as u16, to < datagram.len(), 17, payload));
        }
        // Any place, any length, any protocol.
        5 | 6 => {
            let (v6, offset, more) = (operation & 1 == 0, program.word() & 0xfff8, program.byte() & 1 == 0);
            let protocol = [17, 17, 6, 1, 58, 0, 60, 44][usize::from(program.byte() % 8)];
            rig.receive(&fragment(v6, which, offset, more, protocol, program.bytes()));
        }
        // Extension headers of the input before the fragment header.
        _ => {
            let (kind, chain) = ([0, 43, 44, 60, 59, 58][usize::from(program.byte() % 6)], program.bytes());
            rig.receive(&frames::ipv6(PEER6, US6, kind, 64, chain));
        }
    }
}

/// A UDP datagram of so many bytes for the socket of the rig, the same every time.
fn datagram(v6: bool, bytes: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
    if v6 {
        frames::udp(PEER6.into(), US6.into(), (7, 9), &payload)
    } else {
        frames::udp(PEER4.into(), US4.into(), (7, 9), &payload)
    }
}

fn fragment(v6: bool, identification: u16, offset: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    if !v6 {
        let place = offset >> 3 | if more { 0x2000 } else { 0 };
        return frames::ipv4(PEER4, US4, protocol, place, identification, payload);
    }
    let [high, low] = (offset & 0xfff8 | u16::from(more)).to_be_bytes();
    let [id_high, id_low] = identification.to_be_bytes();
    let header = [protocol, 0, high, low, 0, 0, id_high, id_low];
    frames::ipv6(PEER6, US6, 44, 64, &[&header[..], payload].concat())
}
