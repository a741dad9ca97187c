//! One stack that finds its addresses out by itself, and what must hold of it after every step: what it sends is
//! well-formed and comes from an address in use, its tables keep their limits, and in the end no frame is missing.

#![allow(dead_code, reason = "each target uses a part of it")]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::VecDeque;

use netstack::frame::RxChecksum;
use netstack::host::{DhcpConfig, HostConfig, HostLimits, Identifiers};
use netstack::rng::Seed;
use netstack::{Frame, FramePool, HostUpdate, Instant, IpLimits, Stack, StackConfig, UdpId};

use crate::frames;

const FRAMES: usize = 128;
const MTU: usize = 1500;
const LIMITS: HostLimits = HostLimits { prefixes: 3, addresses: 3, routers: 2, routes: 3, updates: 8 };

thread_local! {
    static POOL: FramePool = FramePool::heap(FRAMES);
}

pub struct Rig {
    pub stack: Stack,
    pub now: Instant,
    pub socket: UdpId,
    /// The last frame that was sent, and the last with a DHCP message.
    pub sent: Vec<u8>,
    pub asked: Vec<u8>,
    pool: FramePool,
    out: VecDeque<Frame>,
}

impl Rig {
    /// The bits of `flags` choose what the host does by itself.
    pub fn new(flags: u8) -> Rig {
        let pool = POOL.with(Clone::clone);
        let now = Instant::from_millis(1000);
        let stable = Identifiers::Stable { secret: [7; 16] };
        let cidr = |text: &str| text.parse().expect("a prefix");
        let via = |text: &str, dest: &str| netstack::Route { dest: cidr(dest), via: text.parse().expect("an address") };
        let config = StackConfig {
            mac: frames::US,
            addresses: vec![cidr("10.0.0.1/24"), cidr("2001:db8::1/64")],
            routes: vec![via("10.0.0.2", "0.0.0.0/0"), via("10.0.0.3", "0.0.0.0/0"), via("2001:db8::2", "::/0")],
            host: HostConfig {
                keeps_state: flags & 1 == 0,
                dad_transmits: flags >> 1 & 1,
                probe_ipv4: flags & 4 != 0,
                slaac: flags & 8 == 0,
                route_information: flags & 16 != 0,
                identifiers: if flags & 32 == 0 { stable } else { Identifiers::Eui64 },
                dhcp: (flags & 64 == 0).then(DhcpConfig::default),
                limits: LIMITS,
            },
            limits: IpLimits {
                neighbors: 8,
                neighbors_incomplete: 3,
                fragment_datagrams: 4,
                fragment_datagrams_per_source: 3,
                fragment_parts: 6,
                fragment_bytes: 24 * 2048,
                reassembled_datagrams: 2,
                udp_datagrams: 4,
                path_mtus: 3,
                ..IpLimits::default()
            },
            ..StackConfig::default()
        };
        let mut stack = Stack::new(config, pool.clone(), Seed::from_number(7), now).expect("a good configuration");
        let socket = stack.udp_bind(None, 9).expect("a free port");
        Rig { stack, now, socket, sent: Vec::new(), asked: Vec::new(), pool, out: VecDeque::new() }
    }

    pub fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.stack.handle_timeout(self.now);
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        let Some(mut frame) = self.pool.alloc() else { return };
        let room = bytes.len().min(frame.tailroom());
        if let Some(to) = frame.extend(room) {
            to.copy_from_slice(&bytes[..room]);
        }
        frame.rx_checksum = RxChecksum::Unknown;
        self.stack.handle_frame(self.now, frame);
    }

    pub fn send(&mut self, to: IpAddr) {
        let _ = self.stack.udp_send(self.now, self.socket, None, (to, 7).into(), netstack::Ecn::NotEct, b"x");
    }

    /// Lets everything leave, and looks at it.
    pub fn exchange(&mut self) {
        while self.stack.poll_event().is_some() {}
        while self.stack.poll_datagram().is_some() || self.stack.poll_datagram_error().is_some() {}
        while self.stack.poll_neighbor().is_some() {}
        // What comes for the worker that keeps the state may as well come back: it is idempotent, or ignored.
        let updates: Vec<HostUpdate> = core::iter::from_fn(|| self.stack.poll_host_update()).collect();
        assert!(updates.len() <= LIMITS.updates);
        while self.stack.poll_transmit(self.now, &mut self.out, 64) > 0 {
            for frame in core::mem::take(&mut self.out) {
                check(&self.stack, frame.data());
                self.sent = frame.data().to_vec();
                if self.sent.len() > 42 + 240 && self.sent[34..38] == [0, 68, 0, 67] {
                    self.asked.clone_from(&self.sent);
                }
            }
        }
        self.limits();
    }

    fn limits(&self) {
        let state = self.stack.host_state();
        // Two configured, link-local, leased, and those made of prefixes.
        assert!(state.addresses.len() <= 4 + LIMITS.addresses, "{:?}", state.addresses);
        assert!(state.routers.len() <= 3 + LIMITS.routers + 1, "{:?}", state.routers);
        assert!(state.mtu_v6 >= 1280 && state.mtu_v4 >= 576 && state.hop_limit >= 64);
        assert!(self.stack.neighbors().count() <= 8);
        let used =
            |v4: bool| state.routers.iter().filter(|router| router.used && router.address.is_ipv4() == v4).count();
        assert!(used(true) <= 1 && used(false) <= 1);
        for own in state.addresses.iter().filter(|own| own.state.is_used()) {
            assert!(self.stack.addresses().any(|cidr| cidr == own.cidr), "{own:?}");
        }
    }

    /// Waits until what is held has timed out.
    pub fn end(mut self) {
        for _ in 0..64 {
            self.wait(2_000);
            self.exchange();
        }
        let pool = self.pool.clone();
        drop(self);
        assert_eq!(pool.available(), FRAMES, "frames are missing");
    }
}

/// What is sent fits the link and comes from an address that is in use, or from none.
fn check(stack: &Stack, frame: &[u8]) {
    assert!((34..=14 + MTU).contains(&frame.len()) && frame[6..12] == frames::US, "{frame:02x?}");
    let source: IpAddr = match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0800 => {
            assert_eq!(frames::sum(0, &frame[14..34]), 0xffff, "IPv4 header checksum");
            Ipv4Addr::new(frame[26], frame[27], frame[28], frame[29]).into()
        }
        0x0806 => Ipv4Addr::new(frame[28], frame[29], frame[30], frame[31]).into(),
        0x86dd => Ipv6Addr::from(<[u8; 16]>::try_from(&frame[22..38]).expect("16 bytes")).into(),
        other => panic!("ethertype {other:04x}"),
    };
    let ours = stack.addresses().any(|cidr| cidr.address() == source);
    // An address may be gone when what it sent leaves; none was ever used that is not in the table of some moment.
    let known = ours || source.is_unspecified() || stack.host_state().generation > 1;
    assert!(known, "from {source}");
}
