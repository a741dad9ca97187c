//! The XDP program: redirects what is ours to the AF_XDP socket of its queue, and passes everything else to the kernel.
//!
//! ```text
//!   Ethernet ─ [VLAN tag] ─┬─ ARP ─────────────────── target is ours, and ARP is answered here?
//!                          ├─ IPv4 ─┬─ fragment ───── destination is ours?
//!                          │        ├─ ICMP ───────── echo answered here? error about a packet of ours?
//!                          │        └─ TCP, UDP ───── service? exclusive address? port range? service at any address?
//!                          └─ IPv6 ── the same with NDP in the place of ARP          yes ▸ XSKMAP    no ▸ XDP_PASS
//! ```
//!
//! A queue without a socket passes too (the fallback of `bpf_redirect_map`). IPv6 extension headers other than a
//! fragment header are not followed: such packets pass. Every load from the packet is behind a comparison with
//! `data_end` in the same block, and the program has no loop and uses no helper younger than Linux 5.3.
//!
//! Registers: R6 context, R7 cursor in the packet, R8 `data_end`, R9 what the lookup at the end needs. The stack holds
//! one [`ServiceKey`](crate::services::ServiceKey), whose tail is an address key.

use crate::insn::{Alu, AssembleError, Assembler, Cond, Insn, Label, Reg, Size};
use crate::services::{FAMILY_V4, FAMILY_V6, flag};
use Reg::{R0, R1, R2, R3, R4, R6, R7, R8, R9, R10};

/// The descriptors of the maps that the program uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapFds {
    pub services: i32,
    pub addresses: i32,
    pub sockets: i32,
}

const XDP_PASS: i32 = 2;
const HELPER_MAP_LOOKUP: i32 = 1;
const HELPER_REDIRECT_MAP: i32 = 51;

/// Offsets in `struct xdp_md`.
const CTX_DATA: i16 = 0;
const CTX_DATA_END: i16 = 4;
const CTX_RX_QUEUE: i16 = 16;

/// The key on the stack, from the frame pointer.
const KEY: i16 = -24;
const KEY_FAMILY: i16 = KEY + 1;
const KEY_PORT: i16 = KEY + 2;
const KEY_ADDRESS: i16 = KEY + 4;

const ETHERNET_HEADER: i32 = 14;
const VLAN_TAG: i32 = 4;
const ARP_PACKET: i32 = 28;
const IPV4_HEADER: i32 = 20;
const IPV6_HEADER: i32 = 40;
const ICMP_HEADER: i32 = 8;
const NDP_TARGET: i32 = 16;

const TCP: i32 = 6;
const UDP: i32 = 17;
const ICMP: i32 = 1;
const ICMPV6: i32 = 58;
const IPV6_FRAGMENT: i32 = 44;

/// A 16-bit constant of the wire as a load in the machine's order sees it.
const fn wire16(value: u16) -> i32 {
    value.to_be() as i32
}

/// The labels that several parts jump to.
struct Targets {
    pass: Label,
    redirect: Label,
    /// TCP or UDP header at R7, protocol in R9.
    transport: Label,
    /// Start of the transport header of a packet of ours, quoted in an ICMP error, at R7; its protocol in R9.
    quoted: Label,
    /// The address in the key has one of the flags in R9?
    address_flag: Label,
    echo: Label,
    fragment: Label,
    neighbor: Label,
}

/// Assembles the program. Frames with the 802.1Q tag `vlan` may be ours; `None`: frames without a tag (or with a
/// priority tag, which is VLAN 0).
pub(crate) fn assemble(maps: MapFds, vlan: Option<u16>) -> Result<Vec<Insn>, AssembleError> {
    let mut asm = Assembler::new();
    let to = Targets {
        pass: asm.label(),
        redirect: asm.label(),
        transport: asm.label(),
        quoted: asm.label(),
        address_flag: asm.label(),
        echo: asm.label(),
        fragment: asm.label(),
        neighbor: asm.label(),
    };
    let (arp, ipv4, ipv6) = (asm.label(), asm.label(), asm.label());
    ethernet(&mut asm, &to, vlan);
    asm.jump_if_imm(Cond::Eq, R3, wire16(0x0800), ipv4);
    asm.jump_if_imm(Cond::Eq, R3, wire16(0x86dd), ipv6);
    asm.jump_if_imm(Cond::Eq, R3, wire16(0x0806), arp);
    asm.jump(to.pass);
    asm.bind(arp);
    parse_arp(&mut asm, &to);
    asm.bind(ipv4);
    parse_ipv4(&mut asm, &to);
    asm.bind(ipv6);
    parse_ipv6(&mut asm, &to);
    lookup_service(&mut asm, &to, maps);
    lookup_flag(&mut asm, &to, maps);
    verdicts(&mut asm, &to, maps);
    asm.finish()
}

/// Passes unless `bytes` bytes lie between R7 and the end of the packet.
fn need(asm: &mut Assembler, to: &Targets, bytes: i32) {
    asm.alu(Alu::Mov, R2, R7);
    asm.alu_imm(Alu::Add, R2, bytes);
    asm.jump_if(Cond::Gt, R2, R8, to.pass);
}

/// R3 = EtherType, R7 = what follows it.
fn ethernet(asm: &mut Assembler, to: &Targets, vlan: Option<u16>) {
    let untagged = asm.label();
    asm.alu(Alu::Mov, R6, R1);
    asm.load(Size::U32, R7, R1, CTX_DATA);
    asm.load(Size::U32, R8, R1, CTX_DATA_END);
    need(asm, to, ETHERNET_HEADER);
    asm.load(Size::U16, R3, R7, 12);
    asm.alu_imm(Alu::Add, R7, ETHERNET_HEADER);
    asm.alu_imm(Alu::Mov, R4, 0);
    asm.jump_if_imm(Cond::Ne, R3, wire16(0x8100), untagged);
    need(asm, to, VLAN_TAG);
    // IEEE 802.1Q §9.6: the low 12 bits of the tag are the VLAN identifier; 0 means priority only.
    asm.load(Size::U16, R4, R7, 0);
    asm.swap16(R4);
    asm.alu_imm(Alu::And, R4, 0x0fff);
    asm.load(Size::U16, R3, R7, 2);
    asm.alu_imm(Alu::Add, R7, VLAN_TAG);
    asm.bind(untagged);
    asm.jump_if_imm(Cond::Ne, R4, i32::from(vlan.unwrap_or(0)), to.pass);
}

fn parse_arp(asm: &mut Assembler, to: &Targets) {
    need(asm, to, ARP_PACKET);
    // RFC 826: protocol type IPv4, address lengths 6 and 4.
    asm.load(Size::U16, R3, R7, 2);
    asm.jump_if_imm(Cond::Ne, R3, wire16(0x0800), to.pass);
    asm.load(Size::U16, R3, R7, 4);
    asm.jump_if_imm(Cond::Ne, R3, wire16(0x0604), to.pass);
    key_ipv4(asm, 24);
    asm.jump(to.neighbor);
}

fn parse_ipv4(asm: &mut Assembler, to: &Targets) {
    let icmp = asm.label();
    need(asm, to, IPV4_HEADER);
    key_ipv4(asm, 16);
    asm.load(Size::U8, R9, R7, 9);
    // RFC 791 §3.1: more fragments, or not the first.
    asm.load(Size::U16, R3, R7, 6);
    asm.jump_if_imm(Cond::Set, R3, wire16(0x3fff), to.fragment);
    skip_ipv4_header(asm, to);
    asm.jump_if_imm(Cond::Eq, R9, ICMP, icmp);
    asm.jump(to.transport);

    asm.bind(icmp);
    let error = asm.label();
    need(asm, to, ICMP_HEADER);
    asm.load(Size::U8, R3, R7, 0);
    asm.jump_if_imm(Cond::Eq, R3, 8, to.echo);
    asm.jump_if_imm(Cond::Eq, R3, 0, to.echo);
    for kind in [3, 11, 12] {
        // RFC 792: unreachable, time exceeded, parameter problem.
        asm.jump_if_imm(Cond::Eq, R3, kind, error);
    }
    asm.jump(to.pass);

    asm.bind(error);
    need(asm, to, ICMP_HEADER + IPV4_HEADER);
    asm.alu_imm(Alu::Add, R7, ICMP_HEADER);
    key_ipv4(asm, 12);
    asm.load(Size::U8, R9, R7, 9);
    asm.load(Size::U16, R3, R7, 6);
    asm.jump_if_imm(Cond::Set, R3, wire16(0x1fff), to.pass);
    skip_ipv4_header(asm, to);
    asm.jump(to.quoted);
}

fn parse_ipv6(asm: &mut Assembler, to: &Targets) {
    let icmp = asm.label();
    need(asm, to, IPV6_HEADER);
    key_ipv6(asm, 24);
    asm.load(Size::U8, R9, R7, 6);
    asm.alu_imm(Alu::Add, R7, IPV6_HEADER);
    asm.jump_if_imm(Cond::Eq, R9, IPV6_FRAGMENT, to.fragment);
    asm.jump_if_imm(Cond::Eq, R9, ICMPV6, icmp);
    asm.jump(to.transport);

    asm.bind(icmp);
    let (error, solicitation) = (asm.label(), asm.label());
    need(asm, to, ICMP_HEADER);
    asm.load(Size::U8, R3, R7, 0);
    asm.jump_if_imm(Cond::Eq, R3, 128, to.echo);
    asm.jump_if_imm(Cond::Eq, R3, 129, to.echo);
    asm.jump_if_imm(Cond::Eq, R3, 135, solicitation);
    // RFC 4861 §4.4: a solicited advertisement comes to the address that asked.
    asm.jump_if_imm(Cond::Eq, R3, 136, to.neighbor);
    // RFC 4443 §2.1: 1 to 4 are errors; the other types pass.
    asm.jump_if_imm(Cond::Eq, R3, 0, to.pass);
    asm.jump_if_imm(Cond::Le, R3, 4, error);
    asm.jump(to.pass);

    // RFC 4861 §4.3: the target is behind the header; the destination is a multicast group.
    asm.bind(solicitation);
    need(asm, to, ICMP_HEADER + NDP_TARGET);
    key_ipv6(asm, ICMP_HEADER as i16);
    asm.jump(to.neighbor);

    asm.bind(error);
    need(asm, to, ICMP_HEADER + IPV6_HEADER);
    asm.alu_imm(Alu::Add, R7, ICMP_HEADER);
    key_ipv6(asm, 8);
    asm.load(Size::U8, R9, R7, 6);
    asm.alu_imm(Alu::Add, R7, IPV6_HEADER);
    asm.jump(to.quoted);
}

/// R7 += header length; at least 20 bytes, or the packet passes.
///
/// One branch for each length: a verifier that guards against speculation (it does unless the loader has CAP_PERFMON)
/// takes only constants added to a pointer into the packet.
fn skip_ipv4_header(asm: &mut Assembler, to: &Targets) {
    let skipped = asm.label();
    asm.load(Size::U8, R3, R7, 0);
    asm.alu_imm(Alu::And, R3, 0x0f);
    for words in IPV4_HEADER / 4..=15 {
        let next = asm.label();
        asm.jump_if_imm(Cond::Ne, R3, words, next);
        asm.alu_imm(Alu::Add, R7, words * 4);
        asm.jump(skipped);
        asm.bind(next);
    }
    asm.jump(to.pass);
    asm.bind(skipped);
}

/// Key address = the IPv4 address at R7 + `off`, behind `::ffff`.
fn key_ipv4(asm: &mut Assembler, off: i16) {
    asm.store_imm(Size::U8, R10, KEY_FAMILY, i32::from(FAMILY_V4));
    asm.store_imm(Size::U32, R10, KEY_ADDRESS, 0);
    asm.store_imm(Size::U32, R10, KEY_ADDRESS + 4, 0);
    asm.store_imm(Size::U32, R10, KEY_ADDRESS + 8, i32::from_ne_bytes([0, 0, 0xff, 0xff]));
    asm.load(Size::U32, R3, R7, off);
    asm.store(Size::U32, R10, KEY_ADDRESS + 12, R3);
}

/// Key address = the IPv6 address at R7 + `off`.
fn key_ipv6(asm: &mut Assembler, off: i16) {
    asm.store_imm(Size::U8, R10, KEY_FAMILY, i32::from(FAMILY_V6));
    for word in [0, 4, 8, 12] {
        asm.load(Size::U32, R3, R7, off + word);
        asm.store(Size::U32, R10, KEY_ADDRESS + word, R3);
    }
}

/// R0 = value of the key at R10 + `key` in the map, or 0.
fn lookup(asm: &mut Assembler, map: i32, key: i16) {
    asm.alu(Alu::Mov, R2, R10);
    asm.alu_imm(Alu::Add, R2, i32::from(key));
    asm.load_map(R1, map);
    asm.call(HELPER_MAP_LOOKUP);
}

/// The tail of TCP, UDP and quoted packets: is this (protocol, address, port) ours?
fn lookup_service(asm: &mut Assembler, to: &Targets, maps: MapFds) {
    let (known, port_known, any_address) = (asm.label(), asm.label(), asm.label());
    asm.bind(to.quoted);
    need(asm, to, 4);
    asm.load(Size::U16, R4, R7, 0);
    asm.jump(port_known);
    asm.bind(to.transport);
    need(asm, to, 4);
    asm.load(Size::U16, R4, R7, 2);
    asm.bind(port_known);
    asm.jump_if_imm(Cond::Eq, R9, TCP, known);
    asm.jump_if_imm(Cond::Ne, R9, UDP, to.pass);
    asm.bind(known);
    asm.store(Size::U8, R10, KEY, R9);
    asm.store(Size::U16, R10, KEY_PORT, R4);
    asm.alu(Alu::Mov, R9, R4);
    asm.swap16(R9);
    lookup(asm, maps.services, KEY);
    asm.jump_if_imm(Cond::Ne, R0, 0, to.redirect);
    lookup(asm, maps.addresses, KEY_ADDRESS);
    asm.jump_if_imm(Cond::Eq, R0, 0, any_address);
    asm.load(Size::U32, R1, R0, 0);
    asm.jump_if_imm(Cond::Set, R1, flag::EXCLUSIVE, to.redirect);
    asm.load(Size::U16, R1, R0, 4);
    asm.jump_if(Cond::Lt, R9, R1, any_address);
    asm.load(Size::U16, R1, R0, 6);
    asm.jump_if(Cond::Le, R9, R1, to.redirect);
    asm.bind(any_address);
    for word in [0, 4, 8, 12] {
        asm.store_imm(Size::U32, R10, KEY_ADDRESS + word, 0);
    }
    lookup(asm, maps.services, KEY);
    asm.jump_if_imm(Cond::Ne, R0, 0, to.redirect);
    asm.jump(to.pass);
}

/// The tail of everything else: does the address have the flag?
fn lookup_flag(asm: &mut Assembler, to: &Targets, maps: MapFds) {
    asm.bind(to.echo);
    asm.alu_imm(Alu::Mov, R9, flag::ECHO);
    asm.jump(to.address_flag);
    asm.bind(to.fragment);
    asm.alu_imm(Alu::Mov, R9, flag::FRAGMENTS);
    asm.jump(to.address_flag);
    asm.bind(to.neighbor);
    asm.alu_imm(Alu::Mov, R9, flag::ARP);
    asm.bind(to.address_flag);
    lookup(asm, maps.addresses, KEY_ADDRESS);
    asm.jump_if_imm(Cond::Eq, R0, 0, to.pass);
    asm.load(Size::U32, R1, R0, 0);
    asm.jump_if(Cond::Set, R1, R9, to.redirect);
    asm.jump(to.pass);
}

fn verdicts(asm: &mut Assembler, to: &Targets, maps: MapFds) {
    asm.bind(to.redirect);
    asm.load(Size::U32, R2, R6, CTX_RX_QUEUE);
    asm.load_map(R1, maps.sockets);
    // The low bits of the flags are the verdict when the queue has no socket.
    asm.alu_imm(Alu::Mov, Reg::R3, XDP_PASS);
    asm.call(HELPER_REDIRECT_MAP);
    asm.exit();
    asm.bind(to.pass);
    asm.alu_imm(Alu::Mov, R0, XDP_PASS);
    asm.exit();
}

#[cfg(test)]
mod tests;
