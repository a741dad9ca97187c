//! Neighbour discovery, router advertisements and ARP against a host that detects duplicates, forms addresses and watches
//! its routers. Each operation is a byte and its arguments; messages have right checksums and mostly right forms.

#![no_main]

#[path = "host/frames.rs"]
mod frames;
#[path = "stack_frames/program.rs"]
mod program;
#[path = "host/rig.rs"]
mod rig;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use netstack::HostUpdate;

use frames::{ALL_NODES, PEER4, PEER6, US4, US6};
use program::Program;
use rig::Rig;

const OPERATIONS: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    let mut rig = Rig::new(program.byte());
    rig.exchange();
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        operate(&mut rig, operation, &mut program);
        rig.exchange();
    }
    rig.end();
});

fn operate(rig: &mut Rig, operation: u8, program: &mut Program<'_>) {
    match operation % 12 {
        0 => rig.wait(u64::from(program.byte()) * 10),
        1 => rig.wait(u64::from(program.word()) * 1000),
        2..=4 => {
            let message = advertisement(program);
            let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2 + u16::from(program.byte() % 8));
            rig.receive(&frames::icmpv6(router, ALL_NODES, 255, message));
        }
        5 => {
            let message = about(rig, 135, program);
            let src = if program.byte() & 1 == 0 { Ipv6Addr::UNSPECIFIED } else { PEER6 };
            let target = Ipv6Addr::from(<[u8; 16]>::try_from(&message[8..24]).expect("a target"));
            let group = Ipv6Addr::from(0xff02_0000_0000_0000_0000_0001_ff00_0000 | u128::from(target) & 0xff_ffff);
            rig.receive(&frames::icmpv6(src, group, 255, message));
        }
        6 => {
            let message = about(rig, 136, program);
            let dst = if program.byte() & 1 == 0 { ALL_NODES } else { US6 };
            rig.receive(&frames::icmpv6(PEER6, dst, 255, message));
        }
        7 => {
            let message = [&[program.byte(), 0, 0, 0], program.bytes()].concat();
            rig.receive(&frames::icmpv6(PEER6, US6, if program.byte() & 1 == 0 { 255 } else { 1 }, message));
        }
        8 => {
            let address =
                |byte: u8| [US4, PEER4, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 0, byte)][usize::from(byte % 4)];
            let (operation, mac) = (u16::from(program.byte() % 4), [2, 0, 0, 0, 0, program.byte()]);
            let (sender, target) = (address(program.byte()), address(program.byte()));
            rig.receive(&frames::arp(operation, mac, sender, target));
        }
        9 => rig.send(if program.byte() & 1 == 0 {
            IpAddr::from([192, 0, 2, 9])
        } else {
            "2001:db8:9::9".parse().expect("an address")
        }),
        10 => {
            let address = own(rig, program.byte());
            let update = match program.byte() % 4 {
                0 => HostUpdate::Conflict { address, nonce: None },
                1 => HostUpdate::RouterUnreachable(address),
                2 => HostUpdate::NoRouter(address),
                _ => HostUpdate::State(rig.stack.host_state().clone()),
            };
            rig.stack.handle_host_update(rig.now, update);
        }
        _ => rig.stack.handle_link_up(rig.now),
    }
}

/// An address of ours or of a router, in use or not.
fn own(rig: &Rig, which: u8) -> IpAddr {
    let state = rig.stack.host_state();
    let addresses = state.addresses.iter().map(|own| own.cidr.address());
    let all: Vec<IpAddr> = addresses.chain(state.routers.iter().map(|router| router.address)).collect();
    all[usize::from(which) % all.len()]
}

/// A solicitation or advertisement about an address of ours, of the peer, or of the input, with the input's options.
fn about(rig: &Rig, kind: u8, program: &mut Program<'_>) -> Vec<u8> {
    let target = match own(rig, program.byte()) {
        IpAddr::V6(v6) => v6,
        IpAddr::V4(_) => PEER6,
    };
    let mut message = vec![kind, 0, 0, 0, program.byte(), 0, 0, 0];
    message.extend(target.octets());
    options(&mut message, program);
    message
}

fn advertisement(program: &mut Program<'_>) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, program.byte(), program.byte()];
    for _ in 0..5 {
        message.extend(program.word().to_be_bytes());
    }
    options(&mut message, program);
    message
}

/// Options with right lengths, and sometimes a byte too many.
fn options(message: &mut Vec<u8>, program: &mut Program<'_>) {
    for _ in 0..program.byte() % 5 {
        match program.byte() % 6 {
            0 => message.extend([1, 1, 2, 0, 0, 0, 0, program.byte()]),
            1 => message.extend([5, 1, 0, 0, 0, 0, program.byte(), program.byte()]),
            2 => {
                message.extend([3, 4, if program.byte() < 200 { 64 } else { program.byte() }, program.byte()]);
                for _ in 0..2 {
                    message.extend(
                        [if program.byte() == 255 { [255; 2] } else { [0; 2] }, program.word().to_be_bytes()].concat(),
                    );
                }
                message.extend([0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, program.byte() % 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            3 => {
                message.extend([24, 2, program.byte() % 66, program.byte(), 0, 0, program.byte(), program.byte()]);
                message.extend([0x20, 1, 0xd, 0xb8, 0, program.byte() % 8, 0, 0]);
            }
            4 => message.extend([2, 1, 2, 0, 0, 0, 0, program.byte()]),
            _ => message.extend_from_slice(program.bytes()),
        }
    }
}
