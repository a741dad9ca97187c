//! One stack against scripted segments. Numbers are relative: ours to our ISS, the peer's to 5,000.
//!
//! A line of output reads `SA 0:0(0) ack 1 win 65535 <mss 1460,ws 3,sack,ts>`: flags, first and last number, payload
//! length.

use std::collections::VecDeque;

use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;

use crate::config::StackConfig;
use crate::counters::TcpCounter;
use crate::frame::{Frame, FramePool};
use crate::ip::{Cidr, checksum, protocol};
use crate::rng::Seed;
use crate::stack::Stack;
use crate::tcp::sack::Blocks;
use crate::tcp::segment::{ACK, CHECKSUM_AT, CWR, ECE, FIN, Header, PSH, RST, SYN, Segment, Timestamps, URG};
use crate::tcp::seq::Seq;
use crate::tcp::{ConnId, ConnInfo, ConnectConfig, Ctx, IcmpError, ListenConfig, ListenerId, TcpConfig, TcpEvent};
use crate::time::Instant;

pub(super) const PEER_ISS: u32 = 5000;
pub(super) const US: [u8; 4] = [10, 0, 0, 1];
pub(super) const PEER: [u8; 4] = [10, 0, 0, 2];

pub(super) struct Rig {
    pub stack: Stack,
    pub pool: FramePool,
    pub now: Instant,
    /// Our ISS, once seen.
    pub iss: Seq,
    /// Our port and the peer's.
    pub ports: (u16, u16),
    pub listener: Option<ListenerId>,
    /// The peer's timestamp clock, when it uses one, and our last value.
    pub clock: Option<u32>,
    pub echo: u32,
    /// The options of the peer's SYN.
    pub syn: Header,
    /// Audit after each step.
    pub audited: bool,
}

/// What a script sends: flags as letters, relative numbers.
#[derive(Clone, Copy)]
pub(super) struct In<'a> {
    pub flags: &'a str,
    pub seq: u32,
    pub ack: u32,
    pub data: &'a [u8],
    pub window: u16,
    pub sack: &'a [(u32, u32)],
}

pub(super) fn seg<'a>(flags: &'a str, seq: u32, ack: u32, data: &'a [u8]) -> In<'a> {
    In { flags, seq, ack, data, window: 60_000, sack: &[] }
}

impl Rig {
    pub fn new(tcp: TcpConfig) -> Rig {
        let pool = FramePool::heap(512);
        let now = Instant::from_millis(10_000);
        let config = StackConfig {
            addresses: vec![Cidr::new(US.into(), 24).unwrap()],
            announce: false,
            static_neighbors: vec![(PEER.into(), [2, 0, 0, 0, 0, 2])],
            tcp,
            ..StackConfig::default()
        };
        let stack = Stack::new(config, pool.clone(), Seed::from_number(3), now).unwrap();
        let syn = Header { mss: Some(1460), ..Header::default() };
        Rig {
            stack,
            pool,
            now,
            iss: Seq(0),
            ports: (80, 40_000),
            listener: None,
            clock: None,
            echo: 0,
            syn,
            audited: true,
        }
    }

    /// Listening, without timestamps and SACK unless the script's SYN offers them.
    pub fn listening() -> Rig {
        let mut rig = Rig::new(TcpConfig::default());
        rig.listen();
        rig
    }

    pub fn listen(&mut self) {
        self.listener = Some(self.stack.listen(ListenConfig::port(80)).unwrap());
    }

    /// A connection accepted from the peer.
    pub fn accepted() -> (Rig, ConnId) {
        let mut rig = Rig::listening();
        let id = rig.accept();
        (rig, id)
    }

    /// As `accepted`, with SACK.
    pub fn accepted_with_sack() -> (Rig, ConnId) {
        let mut rig = Rig::listening();
        rig.syn.sack_permitted = true;
        let id = rig.accept();
        (rig, id)
    }

    pub fn accept(&mut self) -> ConnId {
        self.input(seg("S", 0, 0, b""));
        assert!(self.output()[0].starts_with("SA 0:0(0) ack 1 "));
        self.input(seg("A", 1, 1, b""));
        let event = self.event().expect("accepted");
        assert_eq!(event.listener, self.listener);
        assert!(self.output().is_empty());
        event.conn
    }

    /// A SYN was sent to the peer.
    pub fn opening(tcp: TcpConfig) -> (Rig, ConnId) {
        let mut rig = Rig::new(tcp);
        let remote = SocketAddr::new(PEER.into(), 80);
        let id = rig.stack.connect(rig.now, ConnectConfig::to(remote, 9)).unwrap();
        rig.ports = (rig.stack.local(id).unwrap().port(), 80);
        let lines = rig.output();
        assert!(lines[0].starts_with("S 0:0(0) win "), "{lines:?}");
        (rig, id)
    }

    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.stack.handle_timeout(self.now);
    }

    pub fn wait_millis(&mut self, millis: u64) {
        self.wait(Duration::from_millis(millis));
    }

    pub fn input(&mut self, segment: In<'_>) {
        let mut sack = Blocks::default();
        segment.sack.iter().for_each(|block| sack.push((self.iss + block.0, self.iss + block.1)));
        let flags = segment.flags.chars().fold(0, |flags, c| flags | flag_of(c));
        let options = if flags & SYN != 0 { self.syn } else { Header::default() };
        let header = Header {
            src_port: self.ports.1,
            dst_port: self.ports.0,
            seq: Seq(PEER_ISS) + segment.seq,
            ack: if flags & ACK != 0 { self.iss + segment.ack } else { Seq(0) },
            flags,
            window: segment.window,
            timestamps: self.clock.map(|val| Timestamps { val, ecr: self.echo }),
            sack,
            ..options
        };
        self.input_raw(&header, segment.data);
    }

    pub fn input_raw(&mut self, header: &Header, data: &[u8]) {
        let mut packet = vec![0; header.len()];
        header.emit(&mut packet);
        packet.extend_from_slice(data);
        checksum::fill_transport(PEER.into(), US.into(), protocol::TCP, &mut packet, CHECKSUM_AT, false);
        self.input_packet(&packet);
    }

    /// A whole TCP packet, as it stands.
    pub fn input_packet(&mut self, packet: &[u8]) {
        let mut ip = [0u8; 20];
        ip[0] = 0x45;
        ip[2..4].copy_from_slice(&(20 + packet.len() as u16).to_be_bytes());
        ip[8] = 64;
        ip[9] = protocol::TCP;
        ip[12..16].copy_from_slice(&PEER);
        ip[16..20].copy_from_slice(&US);
        let sum = checksum::of(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut frame: Frame = self.pool.alloc().unwrap();
        for part in [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &ip, packet] {
            frame.extend(part.len()).unwrap().copy_from_slice(part);
        }
        self.stack.handle_frame(self.now, frame);
        self.audit();
    }

    /// An ICMP error as the IP layer hands it over.
    pub fn icmp(&mut self, error: IcmpError) {
        let (tcp, egress) = self.stack.tcp_and_egress();
        tcp.handle_icmp_error(&mut Ctx { now: self.now, egress }, error);
        self.audit();
    }

    /// What goes out now, a line a segment.
    pub fn output(&mut self) -> Vec<String> {
        self.output_with_ecn().into_iter().map(|(line, _)| line).collect()
    }

    /// The same with the ECN field of the packet.
    pub fn output_with_ecn(&mut self) -> Vec<(String, u8)> {
        let mut out = VecDeque::new();
        while self.stack.poll_transmit(self.now, &mut out, 64) > 0 {}
        self.audit();
        out.into_iter().map(|frame| (self.line(&frame.data()[14..]), frame.data()[15] & 0b11)).collect()
    }

    fn line(&mut self, packet: &[u8]) -> String {
        let packet = &packet[20..];
        assert!(checksum::verify_transport(US.into(), PEER.into(), 6, packet, CHECKSUM_AT, Default::default()));
        let segment = Segment::parse(packet).unwrap();
        assert_eq!((segment.src_port, segment.dst_port), self.ports);
        if segment.has(SYN) {
            self.iss = segment.seq;
        }
        if let Some(ts) = segment.timestamps {
            self.echo = ts.val;
        }
        describe(&segment, self.iss)
    }

    pub fn audit(&self) {
        if !self.audited {
            return;
        }
        self.stack.tcp().audit().unwrap_or_else(|fault| panic!("at {:?}: {fault}", self.now));
    }

    pub fn event(&mut self) -> Option<TcpEvent> {
        self.stack.poll_event()
    }

    pub fn send(&mut self, id: ConnId, data: &[u8]) {
        self.stack.send(id, Bytes::copy_from_slice(data)).unwrap();
    }

    pub fn read(&mut self, id: ConnId) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = self.stack.take_chunk(id) {
            all.extend_from_slice(&chunk);
        }
        all
    }

    pub fn info(&self, id: ConnId) -> ConnInfo {
        self.stack.tcp().info(id).unwrap()
    }

    pub fn count(&self, which: TcpCounter) -> u64 {
        self.stack.tcp_counters().get(which)
    }

    /// Nothing is left, after every timer.
    pub fn nothing_left(&mut self) {
        for _ in 0..400 {
            self.wait_millis(1000);
            self.output();
            while self.event().is_some() {}
        }
        let tcp = self.stack.tcp();
        assert_eq!((tcp.connection_count(), tcp.half_open_count(), tcp.time_wait_count()), (0, 0, 0));
        assert_eq!(self.pool.available(), self.pool.capacity());
        assert!(tcp.poll_timeout().is_none());
    }
}

fn flag_of(letter: char) -> u8 {
    match letter {
        'S' => SYN,
        'F' => FIN,
        'R' => RST,
        'P' => PSH,
        'A' => ACK,
        'U' => URG,
        'E' => ECE,
        'W' => CWR,
        _ => panic!("flag {letter}"),
    }
}

fn describe(segment: &Segment, iss: Seq) -> String {
    let letters = [('S', SYN), ('F', FIN), ('R', RST), ('P', PSH), ('A', ACK), ('E', ECE), ('W', CWR)];
    let flags: String = letters.iter().filter(|(_, bit)| segment.has(*bit)).map(|(letter, _)| *letter).collect();
    let seq = segment.seq.since(iss);
    let mut line = format!("{flags} {seq}:{}({})", seq.wrapping_add(segment.payload_len), segment.payload_len);
    if segment.has(ACK) {
        line += &format!(" ack {}", segment.ack.since(Seq(PEER_ISS)));
    }
    if !segment.has(RST) {
        line += &format!(" win {}", segment.window);
    }
    let mut options = Vec::new();
    options.extend(segment.mss.map(|mss| format!("mss {mss}")));
    options.extend(segment.window_scale.map(|shift| format!("ws {shift}")));
    options.extend(segment.sack_permitted.then(|| "sack".to_string()));
    options.extend(segment.timestamps.map(|_| "ts".to_string()));
    let blocks = segment.sack.as_slice().iter();
    options.extend(blocks.map(|b| format!("{}-{}", b.0.since(Seq(PEER_ISS)), b.1.since(Seq(PEER_ISS)))));
    if !options.is_empty() {
        line += &format!(" <{}>", options.join(","));
    }
    line
}
