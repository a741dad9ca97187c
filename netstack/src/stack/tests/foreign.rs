//! Two workers of one interface and a peer whose packets come to whichever queue the test says.

use bytes::Bytes;

use super::*;
use crate::counters::TcpCounter;
use crate::flows::FlowDirectory;
use crate::frame::Frame;
use crate::rss::Steering;
use crate::tcp::{ConnId, ConnectConfig, ListenConfig, Ready, SynCookieMode, TcpConfig};
use std::sync::Arc;

struct Site {
    workers: [Stack; 2],
    peer: Stack,
    now: Instant,
    pool: FramePool,
    directory: Arc<FlowDirectory>,
    /// The queue of the next packet from the peer.
    queue: usize,
    /// Changes the queue after every packet.
    alternating: bool,
}

impl Site {
    fn new(change: impl Fn(&mut StackConfig)) -> Site {
        let pool = FramePool::heap(512);
        let now = Instant::from_millis(1000);
        let directory = FlowDirectory::new(2, 1000, &Seed::from_number(3));
        let make = |mut config: StackConfig, seed| {
            change(&mut config);
            Stack::new(config, pool.clone(), Seed::from_number(seed), now).unwrap()
        };
        let worker = |number: u16| {
            let tcp = TcpConfig { shared_secret: Some(Seed::from_number(9)), ..TcpConfig::default() };
            let known = vec![(PEER4.into(), PEER), (PEER6.into(), PEER)];
            let flows = Some(directory.worker(number));
            let mut stack =
                make(StackConfig { flows, tcp, static_neighbors: known, ..config() }, u64::from(number) + 20);
            stack.listen(ListenConfig::port(80)).unwrap();
            stack
        };
        let cidr = |text: &str| text.parse().unwrap();
        let theirs = StackConfig {
            mac: PEER,
            addresses: vec![cidr("10.0.0.2/24"), cidr("2001:db8::2/64")],
            routes: Vec::new(),
            static_neighbors: vec![(US4.into(), US), (US6.into(), US)],
            ..config()
        };
        let (workers, peer) = ([worker(0), worker(1)], make(theirs, 1));
        Site { workers, peer, now, directory, queue: 0, alternating: false, pool }
    }

    fn copy(&self, parts: [&[u8]; 2]) -> Frame {
        let bytes = parts.concat();
        let mut frame = self.pool.alloc().unwrap();
        frame.extend(bytes.len()).expect("a packet fits a frame").copy_from_slice(&bytes);
        frame
    }

    fn deliver(&mut self, bytes: &[u8]) {
        let frame = self.copy([bytes, &[]]);
        self.workers[self.queue].handle_frame(self.now, frame);
        self.queue ^= usize::from(self.alternating);
    }

    /// What the worker `from` has for the other.
    fn exchange(&mut self) -> usize {
        let mut moved = 0;
        for from in 0..2 {
            while let Some(foreign) = self.workers[from].poll_foreign() {
                assert_eq!(usize::from(foreign.owner()), 1 - from);
                let mut frame = self.copy(foreign.parts());
                frame.rx_checksum = foreign.rx_checksum();
                self.workers[1 - from].handle_handed_over(self.now, frame);
                moved += 1;
            }
        }
        moved
    }

    /// Carries everything until nothing moves.
    fn run(&mut self) {
        for _ in 0..1000 {
            let mut out = VecDeque::new();
            self.peer.poll_transmit(self.now, &mut out, 4);
            let mut moved = out.len();
            for frame in out {
                self.deliver(frame.data());
            }
            moved += self.exchange();
            for worker in &mut self.workers {
                let mut out = VecDeque::new();
                worker.poll_transmit(self.now, &mut out, 100);
                moved += out.len();
                out.into_iter().for_each(|frame| self.peer.handle_frame(self.now, frame));
            }
            if moved == 0 {
                return;
            }
        }
        panic!("they talk in circles");
    }

    fn pass(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(100) {
            self.now = self.now.plus_nanos(100_000_000);
            self.workers.iter_mut().chain([&mut self.peer]).for_each(|stack| stack.handle_timeout(self.now));
            self.run();
        }
    }

    fn connect(&mut self, to: impl Into<IpAddr>) -> ConnId {
        let connect = ConnectConfig::to((to.into(), 80).into(), 0);
        let id = self.peer.connect(self.now, connect).unwrap();
        self.run();
        id
    }

    /// The connection that a worker accepted, and which one did.
    fn accepted(&mut self) -> (usize, ConnId) {
        let accepted = |stack: &mut Stack| {
            core::iter::from_fn(|| stack.poll_event()).find(|event| event.ready.contains(Ready::ACCEPTED))
        };
        (0..2).find_map(|n| accepted(&mut self.workers[n]).map(|event| (n, event.conn))).expect("one accepted")
    }

    fn tcp(&self, which: TcpCounter) -> u64 {
        self.workers.iter().map(|worker| worker.tcp_counters().get(which)).sum()
    }

    fn ip(&self, which: IpCounter) -> u64 {
        self.workers.iter().map(|worker| worker.ip_counters().get(which)).sum()
    }

    /// Nobody was reset, nothing was lost, and everything that was handed out came in.
    #[track_caller]
    fn in_order(&self) {
        let lost = [TcpCounter::ResetNoConnection, TcpCounter::ResetReceived, TcpCounter::DropHandedOverTwice];
        assert_eq!(lost.map(|which| self.tcp(which)), [0; 3]);
        assert_eq!(self.ip(IpCounter::RxForeign), self.ip(IpCounter::RxHandedOver));
        assert_eq!(self.peer.tcp_counters().get(TcpCounter::TxRetransmits), 0);
    }
}

/// A request, an answer of several segments, and an end in order.
fn exchange_of(site: &mut Site, to: impl Into<IpAddr>) -> usize {
    let id = site.connect(to);
    let (owner, conn) = site.accepted();
    let (request, answer) = (Bytes::from(vec![b'q'; 5000]), Bytes::from(vec![b'a'; 20_000]));
    site.peer.send(id, request.clone()).unwrap();
    site.run();
    assert_eq!(site.workers[owner].recv_len(conn), request.len());
    site.workers[owner].consume(conn, request.len());
    site.workers[owner].send(conn, answer.clone()).unwrap();
    site.pass(100);
    assert_eq!(site.peer.recv_len(id), answer.len());
    site.peer.consume(id, answer.len());
    site.workers[owner].close(site.now, conn);
    site.run();
    site.peer.close(site.now, id);
    site.run();
    owner
}

#[test]
fn a_connection_lives_where_its_syn_came_wherever_its_packets_come() {
    for vlan in [None, Some(7)] {
        for to in [IpAddr::V4(US4), IpAddr::V6(US6)] {
            let mut site = Site::new(|config| config.vlan = vlan);
            site.alternating = true;
            let owner = exchange_of(&mut site, to);
            assert_eq!(owner, 0);
            assert!(site.ip(IpCounter::RxHandedOver) >= 5);
            site.in_order();
            // TIME-WAIT is the worker's, too: it closed first.
            assert_eq!(site.directory.len(), 1);
            site.pass(61_000);
            assert!(site.directory.is_empty());
        }
    }
}

#[test]
fn with_every_packet_on_its_queue_nothing_is_handed_over() {
    let mut site = Site::new(|_| {});
    exchange_of(&mut site, US4);
    site.in_order();
    assert_eq!(site.ip(IpCounter::RxForeign), 0);
}

#[test]
fn a_syn_that_comes_again_to_another_queue_makes_no_second_connection() {
    let mut site = Site::new(|_| {});
    let connect = ConnectConfig::to((US4, 80).into(), 0);
    site.peer.connect(site.now, connect).unwrap();
    let mut out = VecDeque::new();
    site.peer.poll_transmit(site.now, &mut out, 1);
    let syn = out[0].data().to_vec();
    site.deliver(&syn);
    site.queue = 1;
    site.deliver(&syn);
    site.exchange();
    assert_eq!(site.workers.each_ref().map(|worker| worker.tcp().half_open_count()), [1, 0]);
    site.run();
    assert_eq!((site.tcp(TcpCounter::OpenPassive), site.tcp(TcpCounter::Established)), (1, 1));
    site.in_order();
}

#[test]
fn an_active_open_gets_its_answers_from_any_queue() {
    let mut site = Site::new(|_| {});
    site.queue = 1;
    site.peer.listen(ListenConfig::port(8080)).unwrap();
    let id = site.workers[0].connect(site.now, ConnectConfig::to((PEER6, 8080).into(), 0)).unwrap();
    site.run();
    assert!(site.workers[0].poll_event().unwrap().ready.contains(Ready::CONNECTED));
    // The other worker cannot open the same.
    let local = site.workers[0].local(id).unwrap();
    let same = ConnectConfig { local_port: Some(local.port()), ..ConnectConfig::to((PEER6, 8080).into(), 0) };
    assert_eq!(site.workers[1].connect(site.now, same), Err(crate::tcp::ConnectError::InUse));
    site.workers[0].abort(site.now, id);
    site.run();
    assert!(site.directory.is_empty());
    assert_eq!(site.tcp(TcpCounter::ResetNoConnection), 0);
}

#[test]
fn a_cookie_is_good_at_the_worker_that_did_not_bake_it() {
    let mut site = Site::new(|config| config.tcp.syn_cookies = SynCookieMode::Always);
    site.alternating = true;
    site.connect(US4);
    assert_eq!(site.accepted().0, 1, "the acknowledgment came there");
    assert_eq!((site.tcp(TcpCounter::CookiesSent), site.tcp(TcpCounter::CookiesValid)), (1, 1));
    assert_eq!(site.directory.len(), 1);
    site.in_order();
}

#[test]
fn an_icmp_error_reaches_the_worker_whose_segment_it_quotes() {
    let mut site = Site::new(|_| {});
    site.connect(US4);
    let (owner, conn) = site.accepted();
    site.workers[owner].send(conn, Bytes::from(vec![0; 5000])).unwrap();
    let mut out = VecDeque::new();
    site.workers[owner].poll_transmit(site.now, &mut out, 100);
    let quote = out[0].data()[14..14 + 28].to_vec();
    let message = [&[3, 4, 0, 0, 0, 0, 0x05, 0x14][..], &quote].concat();
    let mut message = message;
    let sum = !smoltcp::wire::checksum::data(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    site.queue = 1 - owner;
    site.deliver(&ip4(Ipv4Addr::new(10, 0, 0, 254), US4, 1, &message));
    assert_eq!(site.exchange(), 1);
    assert_eq!(site.workers[owner].tcp_counters().get(TcpCounter::PathMtuLowered), 1);
    assert_eq!(site.tcp(TcpCounter::DropIcmp), 0);
    // About a flow that nobody has: dropped where it came.
    let port_at = 8 + 20 + 2;
    message[port_at] ^= 1;
    message[2..4].fill(0);
    let sum = !smoltcp::wire::checksum::data(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    site.deliver(&ip4(Ipv4Addr::new(10, 0, 0, 254), US4, 1, &message));
    assert_eq!((site.exchange(), site.tcp(TcpCounter::DropIcmp)), (0, 1));
}

#[test]
fn a_segment_in_fragments_is_handed_over_whole() {
    let mut site = Site::new(|config| config.vlan = Some(7));
    let id = site.connect(US4);
    let (owner, conn) = site.accepted();
    site.peer.send(id, Bytes::from(vec![b'f'; 1000])).unwrap();
    let mut out = VecDeque::new();
    site.peer.poll_transmit(site.now, &mut out, 1);
    let (link, packet) = out[0].data().split_at(18);
    let payload = &packet[20..];
    site.queue = 1 - owner;
    for (from, to) in [(0, 512), (512, payload.len())] {
        let more = if to < payload.len() { 0x2000 } else { 0 };
        let frame = edit4([&[0; 14][..], &packet4(PEER4, US4, 6, &payload[from..to])].concat(), |header| {
            header[6..8].copy_from_slice(&(more | (from / 8) as u16).to_be_bytes());
        });
        site.deliver(&[link, &frame[14..]].concat());
    }
    site.exchange();
    assert_eq!(site.workers[owner].recv_len(conn), 1000);
    assert_eq!(site.ip(IpCounter::RxReassembled), 1);
    site.in_order();
}

#[test]
fn what_was_handed_over_goes_no_further() {
    let mut site = Site::new(|_| {});
    site.connect(US4);
    let (owner, _) = site.accepted();
    let mut out = VecDeque::new();
    site.peer.connect(site.now, ConnectConfig::to((US4, 80).into(), 0)).unwrap();
    site.peer.poll_transmit(site.now, &mut out, 1);
    let bytes = out[0].data().to_vec();
    site.deliver(&bytes);
    assert_eq!(site.directory.len(), 2);
    // As if the flow had just changed hands.
    let frame = site.copy([&bytes, &[]]);
    site.workers[1 - owner].handle_handed_over(site.now, frame);
    assert!(site.workers[1 - owner].poll_foreign().is_none());
    assert_eq!(site.tcp(TcpCounter::DropHandedOverTwice), 1);
    // Of nobody's flow it is answered as ever.
    let mut stray = bytes;
    stray[14 + 20 + 1] ^= 1;
    let frame = site.copy([&stray, &[]]);
    site.workers[1].handle_handed_over(site.now, frame);
    assert_eq!(site.tcp(TcpCounter::DropChecksum), 1);
    drop(out);
}

#[test]
fn steering_that_is_wrong_is_found_out() {
    let key: Vec<u8> = (0..40).map(|n: u32| (n * 37 + 11) as u8).collect();
    let mut site = Site::new(|config| {
        // Believes that everything comes to its queue, and so it is not.
        config.steering = Steering::new(&key, vec![0], 0).ok();
    });
    site.workers[1] = {
        let mut config = StackConfig { steering: Steering::new(&key, vec![0], 1).ok(), ..config() };
        config.flows = Some(site.directory.worker(1));
        Stack::new(config, site.pool.clone(), Seed::from_number(1), site.now).unwrap()
    };
    let id = site.connect(US4);
    site.queue = 1;
    for _ in 0..70 {
        assert_eq!(site.directory.trusts_steering(), site.ip(IpCounter::RxForeign) < 64);
        site.peer.send(id, Bytes::from_static(b"x")).unwrap();
        site.run();
    }
    assert!(!site.directory.trusts_steering());
    assert_eq!(site.tcp(TcpCounter::RxMissteered), site.ip(IpCounter::RxForeign));
    assert_eq!([(); 2].map(|()| site.workers[1].poll_steering_lost()), [true, false]);
    // Its replies do not come here by the steering, which is not asked any more.
    let opened = site.workers[1].connect(site.now, ConnectConfig::to((PEER4, 80).into(), 0));
    assert!(opened.is_ok());
}
