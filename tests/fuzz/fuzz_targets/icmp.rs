//! ICMP errors that quote what the stack has sent, mostly rightly, and every other message of a host.

#![no_main]

#[path = "host/frames.rs"]
mod frames;
#[path = "stack_frames/program.rs"]
mod program;
#[path = "host/rig.rs"]
mod rig;

use core::net::{IpAddr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use netstack::tcp::ConnectConfig;

use frames::{ALL_NODES, PEER4, PEER6, US6};
use program::Program;
use rig::Rig;

const OPERATIONS: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    // Addresses are used at once: this is about packets that were sent.
    let mut rig = Rig::new(program.byte() & !0x06);
    rig.exchange();
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        operate(&mut rig, operation, &mut program);
        rig.exchange();
    }
    rig.end();
});

fn operate(rig: &mut Rig, operation: u8, program: &mut Program<'_>) {
    let peer = |byte: u8| if byte & 1 == 0 { IpAddr::V4(PEER4) } else { IpAddr::V6(PEER6) };
    match operation % 8 {
        0 => rig.wait(u64::from(program.word()) * 10),
        1 => {
            let address = peer(program.byte());
            let update = netstack::NeighborUpdate { address, mac: frames::PEER, confirmed: true, known: true };
            rig.stack.handle_neighbor(rig.now, update);
            rig.send(address);
        }
        2 => {
            let remote = SocketAddr::new(peer(program.byte()), 80);
            let _ = rig.stack.connect(rig.now, ConnectConfig::to(remote, 1));
        }
        3..=5 => {
            let error = error(rig, program);
            rig.receive(&error);
        }
        6 => {
            let message = [&[8, 0, 0, 0][..], program.bytes()].concat();
            rig.receive(&frames::icmpv4(message));
        }
        _ => {
            let message = [&[program.byte() | 0x80, program.byte() & 1, 0, 0][..], program.bytes()].concat();
            let dst = if program.byte() & 1 == 0 { US6 } else { ALL_NODES };
            rig.receive(&frames::icmpv6(PEER6, dst, program.byte() | 0xfe, message));
        }
    }
}

/// An error about the last IP packet that was sent, cut and with some bytes changed.
fn error(rig: &Rig, program: &mut Program<'_>) -> Vec<u8> {
    let sent = rig.sent.get(12..).unwrap_or_default();
    let v6 = sent.starts_with(&[0x86, 0xdd]);
    let mut quote = sent.get(2..).unwrap_or_default().to_vec();
    quote.truncate(program.byte().max(28).into());
    for _ in 0..program.byte() % 3 {
        let at = usize::from(program.byte());
        let value = program.byte();
        if let Some(byte) = quote.get_mut(at) {
            *byte = value;
        }
    }
    let (kind, code, [high, low]) = (program.byte(), program.byte(), program.word().to_be_bytes());
    if v6 {
        let head = [1 + kind % 4, code % 8, 0, 0, 0, 0, high, low];
        frames::icmpv6(PEER6, US6, 64, [&head[..], &quote].concat())
    } else {
        let head = [[3, 3, 3, 11, 12, 5][usize::from(kind % 6)], code % 16, 0, 0, 0, 0, high, low];
        frames::icmpv4([&head[..], &quote].concat())
    }
}
