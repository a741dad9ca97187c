//! A DHCP server that knows the transaction, and lies in everything else, against a host that leases its address.

#![no_main]

#[path = "host/frames.rs"]
mod frames;
#[path = "stack_frames/program.rs"]
mod program;
#[path = "host/rig.rs"]
mod rig;

use core::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;

use frames::US;
use program::Program;
use rig::Rig;

const OPERATIONS: usize = 200;
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    // DHCP is on, whatever else is.
    let mut rig = Rig::new(program.byte() & !0x41);
    rig.exchange();
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        operate(&mut rig, operation, &mut program);
        rig.exchange();
    }
    rig.end();
});

fn operate(rig: &mut Rig, operation: u8, program: &mut Program<'_>) {
    match operation % 8 {
        0 => rig.wait(u64::from(program.byte()) * 20),
        1 => rig.wait(u64::from(program.word()) * 1000),
        2..=5 => {
            let reply = reply(rig, program);
            let to = if program.byte() & 7 == 0 { offered(0) } else { Ipv4Addr::BROADCAST };
            let datagram = frames::udp(SERVER.into(), to.into(), (67, 68), &reply);
            rig.receive(&frames::ipv4(SERVER, to, 17, 0, 0, &datagram));
        }
        6 => {
            let claimed = offered(program.byte());
            rig.receive(&frames::arp(
                1 + u16::from(program.byte() & 1),
                [2, 0, 0, 0, 0, 9],
                claimed,
                Ipv4Addr::UNSPECIFIED,
            ));
        }
        _ => match program.byte() % 3 {
            0 => rig.stack.handle_link_up(rig.now),
            1 => rig.send(IpAddr::V4(SERVER)),
            _ => {
                let address = IpAddr::V4(SERVER);
                let update = netstack::NeighborUpdate { address, mac: frames::PEER, confirmed: true, known: true };
                rig.stack.handle_neighbor(rig.now, update);
            }
        },
    }
}

fn offered(which: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, 9 + which % 2)
}

/// A reply of a kind to the last question, with options that are mostly well-formed.
fn reply(rig: &Rig, program: &mut Program<'_>) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..3].copy_from_slice(&[2, 1, 6]);
    if let Some(xid) = rig.asked.get(42 + 4..42 + 8) {
        message[4..8].copy_from_slice(xid);
    }
    message[16..20].copy_from_slice(&offered(program.byte()).octets());
    message[28..34].copy_from_slice(&US);
    message[236..240].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, [2, 5, 6, 5][usize::from(program.byte() % 4)], 54, 4, 10, 9, 0, 1]);
    let [high, low] = program.word().to_be_bytes();
    message.extend([51, 4, 0, 0, high, low]);
    for _ in 0..program.byte() % 6 {
        match program.byte() % 8 {
            0 => message.extend([1, 4, 255, 255, 255, program.byte()]),
            1 => message.extend([3, 4, 10, 9, 0, program.byte()]),
            2 => message.extend([26, 2, program.byte(), program.byte()]),
            3 => message.extend([58, 4, 0, 0, program.byte(), program.byte()]),
            4 => message.extend([59, 4, 0, 0, program.byte(), program.byte()]),
            5 => {
                let value = program.bytes();
                message.extend([121, value.len() as u8]);
                message.extend_from_slice(value);
            }
            6 => {
                let (which, value) = (program.byte(), program.bytes());
                let field = if which & 1 == 0 { 44..108 } else { 108..236 };
                let len = value.len().min(field.len());
                message[field.start..field.start + len].copy_from_slice(&value[..len]);
                message.extend([52, 1, which % 5]);
            }
            _ => message.extend_from_slice(program.bytes()),
        }
    }
    message
}
