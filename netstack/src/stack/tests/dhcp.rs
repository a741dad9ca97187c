//! A stack that leases its address (RFC 2131), frame by frame.

use super::conflict::states;
use super::*;
use crate::host::{DhcpConfig, DhcpState, HostConfig, HostUpdate};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const LEASED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const ZERO: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn leasing() -> StackConfig {
    StackConfig {
        mac: US,
        announce: true,
        host: HostConfig { dhcp: Some(DhcpConfig::default()), ..HostConfig::default() },
        ..StackConfig::default()
    }
}

/// One word for a client's message.
pub(super) fn describe(message: &[u8]) -> String {
    assert_eq!(
        (message[0], &message[28..34], &message[236..243]),
        (1, &US[..], &[99, 130, 83, 99, 53, 1, message[242]][..])
    );
    let kind = ["", "DISCOVER", "", "REQUEST", "DECLINE"][usize::from(message[242])];
    let client = Ipv4Addr::new(message[12], message[13], message[14], message[15]);
    format!("dhcp {kind}{}", if client.is_unspecified() { String::new() } else { format!(" ciaddr {client}") })
}

struct Net {
    wire: Wire,
    xid: [u8; 4],
}

impl Net {
    fn new(config: StackConfig) -> Net {
        Net { wire: Wire::new(config), xid: [0; 4] }
    }

    /// Waits until a line that contains `what` is sent, for a minute and a half at most; returns the lines before it, too.
    fn until(&mut self, what: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..9000 {
            for frame in self.wire.output() {
                let at = if frame[12..14] == [0x81, 0] { 18 } else { 14 };
                if frame.len() > at + 28 + 240 {
                    self.xid.copy_from_slice(&frame[at + 32..at + 36]);
                }
                lines.push(super::describe(&frame));
            }
            if lines.iter().any(|line| line.contains(what)) {
                return lines;
            }
            self.wire.wait_millis(10);
        }
        panic!("no {what} in {lines:?}");
    }

    fn message(&self, kind: u8, more: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 240];
        message[..3].copy_from_slice(&[2, 1, 6]);
        message[4..8].copy_from_slice(&self.xid);
        message[16..20].copy_from_slice(&LEASED.octets());
        message[28..34].copy_from_slice(&US);
        message[236..240].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, kind, 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 3, 232]);
        message.extend([3, 4, 10, 0, 0, 254]);
        message.extend_from_slice(more);
        message
    }

    fn frame(&self, dst: Ipv4Addr, kind: u8, more: &[u8]) -> Vec<u8> {
        let mac = if dst == Ipv4Addr::BROADCAST { BROADCAST } else { US };
        eth(mac, PEER, 0x0800, &packet4(SERVER, dst, 17, &udp(SERVER, dst, (67, 68), &self.message(kind, more))))
    }

    fn answer(&mut self, kind: u8) {
        let frame = self.frame(Ipv4Addr::BROADCAST, kind, &[]);
        self.wire.input(&frame);
    }

    fn bound() -> Net {
        let mut net = Net::new(leasing());
        net.until("DISCOVER");
        net.answer(2);
        net.until("REQUEST");
        net.answer(5);
        net.until("arp request 10.0.0.9 -> 10.0.0.9");
        net
    }

    fn lease(&self) -> Vec<String> {
        states(&self.wire).into_iter().filter(|line| line.contains("dhcp")).collect()
    }

    fn client(&self) -> DhcpState {
        self.wire.stack.host_state().dhcp.as_ref().unwrap().state
    }
}

fn arp(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let packet = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &PEER, &sender.octets(), &[0; 6], &target.octets()].concat();
    eth(BROADCAST, PEER, 0x0806, &packet)
}

#[test]
fn an_address_is_leased_probed_and_used() {
    let mut net = Net::new(leasing());
    let begun = net.until("DISCOVER");
    assert_eq!(begun.last().unwrap(), "us>all 0.0.0.0 -> 255.255.255.255 dhcp DISCOVER");
    net.answer(2);
    assert_eq!(net.until("REQUEST"), ["us>all 0.0.0.0 -> 255.255.255.255 dhcp REQUEST"]);
    net.answer(5);
    assert_eq!((net.lease(), net.client()), (vec!["10.0.0.9/24 dhcp tentative".into()], DhcpState::Checking));
    net.wire.input(&ip4(PEER4, LEASED, 1, &echo4(b"x")));
    assert_eq!(net.wire.stack.ip_counters().get(IpCounter::DropIpv4Destination), 1, "not used yet");
    let lines = net.until("arp request 10.0.0.9 -> 10.0.0.9");
    let probe = "us>all arp request 0.0.0.0 -> 10.0.0.9";
    assert_eq!(lines[..3], [probe; 3]);
    assert_eq!((net.lease(), net.client()), (vec!["10.0.0.9/24 dhcp preferred".into()], DhcpState::Bound));
    let routes: Vec<String> = net
        .wire
        .stack
        .routes()
        .filter(|r| r.dest.address().is_ipv4())
        .map(|r| format!("{} {:?}", r.dest, r.via))
        .collect();
    assert_eq!(routes, ["10.0.0.0/24 None", "0.0.0.0/0 Some(10.0.0.254)"]);
    net.wire.input(&ip4(PEER4, LEASED, 1, &echo4(b"x")));
    net.until("10.0.0.9 -> 10.0.0.2 icmp 0/0");
}

#[test]
fn a_broadcast_is_taken_from_a_dhcp_server_and_from_nobody_else() {
    let mut net = Net::new(leasing());
    net.until("DISCOVER");
    net.wire.ledger(&[(IpCounter::TxDhcpRequests, 1)]);
    let all = Ipv4Addr::BROADCAST;
    let to_all = |payload: &[u8], protocol| eth(BROADCAST, PEER, 0x0800, &packet4(SERVER, all, protocol, payload));
    let drop = |net: &mut Net, frame: &[u8], reason, before: &[IpCounter]| net.wire.dropped(frame, reason, before);
    drop(&mut net, &to_all(&udp(SERVER, all, (67, 69), b"x"), 17), IpCounter::DropIpv4Broadcast, &[]);
    drop(&mut net, &to_all(&echo4(b"x"), 1), IpCounter::DropIpv4Broadcast, &[]);
    let offer = net.frame(all, 2, &[]);
    let fragment = edit4(offer.clone(), |head| head[6] = 0x20);
    drop(&mut net, &fragment, IpCounter::DropIpv4Broadcast, &[]);
    let mut damaged = offer.clone();
    damaged[14 + 28 + 100] ^= 1;
    drop(&mut net, &damaged, IpCounter::DropUdpChecksum, &[]);
    let broken = net.frame(all, 2, &[1, 9, 0]);
    drop(&mut net, &broken, IpCounter::DropDhcpMalformed, &[IpCounter::RxIpv4]);
    let mut other = net.message(2, &[]);
    other[4] ^= 1;
    let other = to_all(&udp(SERVER, all, (67, 68), &other), 17);
    drop(&mut net, &other, IpCounter::DropDhcpStranger, &[IpCounter::RxIpv4]);
    let mut other = net.message(2, &[]);
    other[33] ^= 1;
    let other = to_all(&udp(SERVER, all, (67, 68), &other), 17);
    drop(&mut net, &other, IpCounter::DropDhcpStranger, &[IpCounter::RxIpv4]);
    let early = net.frame(all, 5, &[]);
    drop(&mut net, &early, IpCounter::DropDhcpUnusable, &[IpCounter::RxIpv4]);

    // Some servers send to the address that they offer.
    let direct = net.frame(LEASED, 2, &[]);
    net.wire.input(&direct);
    assert_eq!(net.client(), DhcpState::Requesting);
    let addresses = vec!["10.0.0.5/24".parse().unwrap()];
    let mut quiet = Wire::new(StackConfig { mac: US, addresses, announce: false, ..StackConfig::default() });
    quiet.dropped(&offer, IpCounter::DropIpv4Broadcast, &[]);
}

#[test]
fn an_address_in_use_elsewhere_is_declined() {
    let mut net = Net::new(leasing());
    net.until("DISCOVER");
    net.answer(2);
    net.until("REQUEST");
    net.answer(5);
    net.until("arp request 0.0.0.0 -> 10.0.0.9");
    net.wire.input(&arp(LEASED, ZERO));
    assert_eq!(net.until("DECLINE"), ["us>all 0.0.0.0 -> 255.255.255.255 dhcp DECLINE"]);
    assert_eq!((net.lease(), net.client()), (vec![], DhcpState::Init));
    let begun = net.wire.now;
    net.until("DISCOVER");
    assert!((net.wire.now - begun).as_secs() >= 9);
    assert_eq!(net.wire.stack.ip_counters().get(IpCounter::AddressDuplicates), 1);
}

#[test]
fn a_leased_address_is_defended_once_and_then_given_up() {
    let mut net = Net::bound();
    net.wire.wait_millis(3000);
    net.wire.lines();
    net.wire.input(&arp(LEASED, PEER4));
    assert_eq!(net.wire.lines(), ["us>all arp request 10.0.0.9 -> 10.0.0.9"], "RFC 5227 §2.4 (b)");
    net.wire.wait_millis(11_000);
    net.wire.input(&arp(LEASED, PEER4));
    assert_eq!(net.wire.lines().len(), 1, "after DEFEND_INTERVAL anew");
    net.wire.wait_millis(1000);
    net.wire.input(&arp(LEASED, PEER4));
    assert_eq!(net.until("DECLINE").len(), 1);
    assert!(net.lease().is_empty());
    assert_eq!(net.wire.stack.routes().filter(|route| route.dest.address().is_ipv4()).count(), 0);
}

#[test]
fn the_lease_is_renewed_with_its_server_and_ends_without_it() {
    let mut net = Net::bound();
    net.wire.wait_millis(490_000);
    let mut lines = net.until("arp request 10.0.0.9 -> 10.0.0.1");
    let update = crate::NeighborUpdate { address: SERVER.into(), mac: PEER, confirmed: true, known: true };
    net.wire.stack.handle_neighbor(net.wire.now, update);
    lines.extend(net.until("REQUEST"));
    assert!(lines.contains(&"us>peer 10.0.0.9 -> 10.0.0.1 dhcp REQUEST ciaddr 10.0.0.9".to_string()), "{lines:?}");
    let renewal = net.frame(LEASED, 5, &[26, 2, 5, 120]);
    net.wire.input(&renewal);
    assert_eq!(net.client(), DhcpState::Bound);
    assert_eq!(net.wire.stack.egress.ip_mtu(net.wire.now, SERVER.into()), 1400, "the lease's MTU");
    assert_eq!(net.wire.stack.egress.ip_mtu(net.wire.now, PEER6.into()), 1500);

    for _ in 0..1010 {
        net.wire.wait_millis(1000);
        net.wire.lines();
    }
    assert_eq!((net.lease(), net.client()), (vec![], DhcpState::Selecting));
    assert_eq!(net.wire.stack.ip_counters().get(IpCounter::LeasesLost), 1);
    assert_eq!(net.wire.stack.egress.ip_mtu(net.wire.now, SERVER.into()), 1500);
    assert!(net.wire.stack.host_state().routers.is_empty());
}

#[test]
fn a_refused_lease_ends_its_connections() {
    use crate::tcp::{ConnectConfig, EndReason};
    let mut net = Net::bound();
    net.wire.wait_millis(490_000);
    net.until("arp request 10.0.0.9 -> 10.0.0.1");
    let update = crate::NeighborUpdate { address: SERVER.into(), mac: PEER, confirmed: true, known: true };
    net.wire.stack.handle_neighbor(net.wire.now, update);
    net.until("REQUEST");
    net.wire.stack.connect(net.wire.now, ConnectConfig::to((PEER4, 80).into(), 7)).unwrap();
    let refusal = net.frame(LEASED, 6, &[]);
    net.wire.input(&refusal);
    assert!(net.lease().is_empty());
    assert!(net.wire.stack.poll_timeout().is_some_and(|at| at <= net.wire.now), "at once");
    net.wire.wait_millis(0);
    let event = net.wire.stack.poll_event().unwrap();
    assert_eq!((event.token, event.ended), (7, Some(EndReason::AddressLost)));
}

#[test]
fn a_reply_that_came_to_another_worker_reaches_the_client() {
    let mut net = Net::new(leasing());
    let mut config = leasing();
    config.host.keeps_state = false;
    let mut follower = Wire::new(config);
    follower.lines();
    net.until("DISCOVER");
    let offer = net.frame(Ipv4Addr::BROADCAST, 2, &[]);
    follower.input(&offer);
    let update = follower.stack.poll_host_update().unwrap();
    assert!(matches!(update, HostUpdate::Dhcp { .. }));
    net.wire.stack.handle_host_update(net.wire.now, update);
    net.until("REQUEST");
    net.answer(5);
    // So does the conflict that another worker hears of.
    follower.stack.handle_host_update(follower.now, HostUpdate::State(net.wire.stack.host_state().clone()));
    follower.input(&arp(LEASED, ZERO));
    let update = follower.stack.poll_host_update().unwrap();
    net.wire.stack.handle_host_update(net.wire.now, update);
    net.until("DECLINE");
}

#[test]
fn updates_that_nobody_fetches_are_bounded() {
    let mut config = leasing();
    config.host.keeps_state = false;
    config.host.limits.updates = 3;
    let mut follower = Wire::new(config);
    follower.lines();
    let offer = Net::new(leasing()).frame(Ipv4Addr::BROADCAST, 2, &[]);
    (0..5).for_each(|_| follower.input(&offer));
    assert_eq!(follower.stack.ip_counters().get(IpCounter::DropHostUpdate), 2);
    assert_eq!(core::iter::from_fn(|| follower.stack.poll_host_update()).count(), 3);
}

#[test]
fn over_a_vlan() {
    let mut net = Net::new(StackConfig { vlan: Some(42), ..leasing() });
    let begun = net.until("DISCOVER");
    assert_eq!(begun.last().unwrap(), "us>all vlan 42 0.0.0.0 -> 255.255.255.255 dhcp DISCOVER");
    let offer = net.frame(Ipv4Addr::BROADCAST, 2, &[]);
    net.wire.input(&offer);
    assert_eq!(net.wire.stack.ip_counters().get(IpCounter::DropVlanMissing), 1);
    net.wire.input(&[&offer[..12], &[0x81, 0, 0, 42], &offer[12..]].concat());
    net.until("REQUEST");
}

#[test]
fn leases_need_arp() {
    let refused = StackConfig { answer_arp: false, ..leasing() };
    let refused = Stack::new(refused, FramePool::heap(4), Seed::from_number(1), Instant::ZERO).err();
    assert_eq!(refused, Some(crate::ConfigError::HostNeedsArp));
}
