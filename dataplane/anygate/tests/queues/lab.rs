//! The two ends of a seed's run.

use crate::application::Application;
use anygate::wake::Bell;
use anygate::worker::handover::{self, Handover, HandoverCounter};
use netstack::counters::{IpCounter, TcpCounter};
use netstack::rng::{Rng, Seed};
use netstack::tcp::{ConnectConfig, ListenConfig, TcpConfig};
use netstack::{Cidr, FlowDirectory, FramePool, Instant, Stack, StackConfig};
use port::Port;
use port::sim::{LinkConfig, Loss, Side, SimConfig, SimPort, Wire};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const FRAMES: usize = 512;
const LIMIT: Duration = Duration::from_secs(600);

/// What a seed means.
pub struct Plan {
    rng: Rng,
    queues: u16,
    link: LinkConfig,
    addresses: [IpAddr; 2],
    /// When flows change queues, latest first.
    rehashes: Vec<Instant>,
    /// When connections are opened, by which side, and how much they carry; latest first.
    opens: Vec<(Instant, Side, usize)>,
}

impl Plan {
    pub fn from_seed(seed: u64) -> Plan {
        let mut rng = Rng::new(seed);
        let lossy = rng.below(3) == 0;
        let link = LinkConfig {
            delay: Duration::from_micros(u64::from(rng.below(5_000))),
            loss: if lossy { Loss::Random { ppm: rng.below(30_000) } } else { Loss::None },
            duplicate_ppm: if rng.below(4) == 0 { 30_000 } else { 0 },
            reorder_ppm: if rng.below(4) == 0 { 50_000 } else { 0 },
            reorder_delay: Duration::from_millis(3),
            ..LinkConfig::default()
        };
        let last = |last: u8| match seed % 3 {
            0 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
            _ => IpAddr::from([10, 0, 0, last]),
        };
        let at = |rng: &mut Rng| Instant::from_micros(u64::from(rng.below(200_000)));
        let mut rehashes: Vec<Instant> = (0..rng.below(24)).map(|_| at(&mut rng)).collect();
        let mut opens: Vec<_> = (0..2 + rng.below(8))
            .map(|n| (at(&mut rng), if n % 2 == 0 { Side::A } else { Side::B }, 1 + rng.below(60_000) as usize))
            .collect();
        rehashes.sort_by(|a, b| b.cmp(a));
        opens.sort_by_key(|open| std::cmp::Reverse(open.0));
        let queues = if rng.below(3) == 0 { 4 } else { 2 };
        Plan { rng, queues, link, addresses: [last(1), last(2)], rehashes, opens }
    }
}

/// One stack with its ports: the client's has all queues of its end, a worker's has one.
struct Node {
    side: Side,
    stack: Stack,
    ports: Vec<SimPort>,
    handover: Option<Handover>,
    application: Application,
    pool: FramePool,
}

pub struct Lab {
    plan: Plan,
    wire: Wire,
    now: Instant,
    nodes: Vec<Node>,
    directory: Arc<FlowDirectory>,
    opened: u64,
    /// Somebody had no turn in the last step, and may have something to do.
    skipped: bool,
}

impl Lab {
    pub fn new(plan: Plan) -> Lab {
        let mut config = SimConfig::symmetric(plan.link.clone());
        (config.ends.queues, config.ends.steering_known) = (plan.queues, false);
        let seed = plan.rng.clone().next_u64();
        let wire = Wire::new(config, seed);
        let directory = FlowDirectory::new(plan.queues, 64, &Seed::from_number(seed));
        let bells: Vec<Bell> = (0..plan.queues).map(|_| Bell::new().expect("a bell")).collect();
        let client = node(&wire, &plan, Side::A, (0..plan.queues).collect(), seed, None);
        let workers = (0..plan.queues).zip(handover::group(&bells)).map(|(queue, handover)| {
            node(&wire, &plan, Side::B, vec![queue], seed, Some((directory.clone(), Handover::new(handover))))
        });
        let nodes = [client].into_iter().chain(workers).collect();
        Lab { plan, wire, now: Instant::ZERO, nodes, directory, opened: 0, skipped: false }
    }

    /// Until everything was opened and has ended.
    pub fn run(&mut self) -> Result<(), String> {
        while !(self.plan.opens.is_empty() && self.nodes.iter().all(|node| node.application.is_done())) {
            self.step()?;
        }
        Ok(())
    }

    /// Until TIME-WAIT is over everywhere.
    pub fn settle(&mut self) -> Result<(), String> {
        while self.next().is_some() {
            self.step()?;
        }
        Ok(())
    }

    fn next(&self) -> Option<Instant> {
        let ports = self.nodes.iter().flat_map(|node| &node.ports).filter_map(Port::poll_timeout);
        let stacks = self.nodes.iter().filter_map(|node| node.stack.poll_timeout());
        let waiting = self.skipped || self.handovers().any(Handover::is_waiting);
        let plan = [self.plan.opens.last().map(|open| open.0), self.plan.rehashes.last().copied()];
        ports.chain(stacks).chain(plan.into_iter().flatten()).chain(waiting.then_some(self.now)).min()
    }

    fn step(&mut self) -> Result<(), String> {
        let next = self.next().ok_or("nothing is to happen any more")?;
        self.now = next.max(self.now.plus_nanos(1_000));
        if self.now > Instant::ZERO + LIMIT {
            return Err("the time limit is reached".into());
        }
        while self.plan.rehashes.pop_if(|at| *at <= self.now).is_some() {
            let mut key = [0; 40];
            key.iter_mut().for_each(|byte| *byte = self.plan.rng.next_u64() as u8);
            self.wire.rehash(Side::B, &key);
        }
        while let Some((_, side, total)) = self.plan.opens.pop_if(|open| open.0 <= self.now) {
            self.open(side, total)?;
        }
        // In an order that changes, and some not at all: threads give no promises.
        let first = self.plan.rng.below(self.nodes.len() as u32) as usize;
        self.skipped = false;
        for at in 0..self.nodes.len() {
            if self.plan.rng.below(4) == 0 {
                self.skipped = true;
            } else {
                let at = (first + at) % self.nodes.len();
                self.nodes[at].turn(self.now)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, side: Side, total: usize) -> Result<(), String> {
        let at = if side == Side::A { 0 } else { 1 + self.plan.rng.below(u32::from(self.plan.queues)) as usize };
        let node = &mut self.nodes[at];
        let to = ConnectConfig::to((self.plan.addresses[1 - side as usize], 80).into(), 0);
        let conn = node.stack.connect(self.now, to).map_err(|error| format!("{error:?}"))?;
        self.opened += 1;
        node.application.opened(conn, self.opened, total);
        Ok(())
    }

    /// The ledger at the end.
    pub fn check(&self) -> Result<(), String> {
        let (out, taken) = (self.ip(IpCounter::RxForeign), self.handed_over());
        let tcp = |which| -> u64 { self.nodes.iter().map(|node| node.stack.tcp_counters().get(which)).sum() };
        let held = |node: &Node| node.pool.capacity() - node.pool.available();
        let zero = [
            // An acknowledgment that was overtaken by the last one may find its connection closed, and is answered with a
            // reset, which TIME-WAIT ignores: that ends nothing.
            ("connections reset", tcp(TcpCounter::ResetReceived)),
            ("flows still claimed", self.directory.len() as u64),
            ("flows without room", tcp(TcpCounter::FlowsUnlisted)),
            ("packets lost between workers", out - taken),
            ("frames held", self.nodes.iter().map(held).sum::<usize>() as u64),
            ("connections that did not end twice", 2 * self.opened - self.connections()),
        ];
        let handed: u64 = self.handovers().map(|way| way.counters().get(HandoverCounter::HandedOver)).sum();
        match zero.into_iter().find(|(_, value)| *value != 0) {
            Some((what, value)) => Err(format!("{value} {what}")),
            None if handed != taken => Err(format!("{handed} packets handed over, {taken} taken")),
            None => Ok(()),
        }
    }

    fn handovers(&self) -> impl Iterator<Item = &Handover> {
        self.nodes.iter().filter_map(|node| node.handover.as_ref())
    }

    fn ip(&self, which: IpCounter) -> u64 {
        self.nodes.iter().map(|node| node.stack.ip_counters().get(which)).sum()
    }

    pub fn handed_over(&self) -> u64 {
        self.ip(IpCounter::RxHandedOver)
    }

    /// Connections that ended in order, counted at both ends.
    pub fn connections(&self) -> u64 {
        self.nodes.iter().map(|node| node.application.finished as u64).sum()
    }

    pub fn state(&self) -> String {
        let nodes = self.nodes.iter().map(|node| {
            let counters = node.stack.tcp_counters().iter().filter(|(_, value)| *value > 0);
            let counters: Vec<_> = counters.map(|(which, value)| format!("{} {value}", which.name())).collect();
            format!("  {}\n    {}", node.application.progress(), counters.join(", "))
        });
        format!("at {:?}:\n{}", self.now, nodes.collect::<Vec<_>>().join("\n"))
    }
}

fn node(
    wire: &Wire,
    plan: &Plan,
    side: Side,
    queues: Vec<u16>,
    seed: u64,
    shared: Option<(Arc<FlowDirectory>, Handover)>,
) -> Node {
    let pool = FramePool::heap(FRAMES);
    let ports: Vec<SimPort> = queues.iter().map(|&queue| wire.port(side, queue, pool.clone())).collect();
    let address = plan.addresses[side as usize];
    let number = queues[0];
    let config = StackConfig {
        mac: ports[0].info().mac,
        addresses: Cidr::new(address, if address.is_ipv4() { 24 } else { 64 }).into_iter().collect(),
        static_neighbors: vec![(
            plan.addresses[1 - side as usize],
            wire.port(side.other(), 0, pool.clone()).info().mac,
        )],
        announce: false,
        flows: shared.as_ref().map(|(directory, _)| directory.worker(number)),
        tcp: TcpConfig { shared_secret: Some(Seed::from_number(seed)), ..TcpConfig::default() },
        ..StackConfig::default()
    };
    let own = Seed::from_number(seed ^ u64::from(number) << 8 ^ side as u64);
    let mut stack = Stack::new(config, pool.clone(), own, Instant::ZERO).expect("a stack");
    stack.listen(ListenConfig::port(80)).expect("a free port");
    let handover = shared.map(|(_, handover)| handover);
    Node { side, stack, ports, handover, application: Application::default(), pool }
}

impl Node {
    /// One turn of a worker's loop.
    fn turn(&mut self, now: Instant) -> Result<(), String> {
        let mut received = Vec::new();
        for port in &mut self.ports {
            port.rx_burst(now, &mut received, 32);
        }
        received.into_iter().for_each(|frame| self.stack.handle_frame(now, frame));
        if let Some(handover) = &mut self.handover {
            handover.exchange(now, &mut self.stack);
        }
        self.stack.handle_timeout(now);
        self.application.run(now, &mut self.stack).map_err(|reason| format!("{:?}: {reason}", self.side))?;
        self.stack.settle(now);
        let mut frames = VecDeque::new();
        self.stack.poll_transmit(now, &mut frames, 64);
        self.ports[0].tx_burst(now, &mut frames);
        Ok(())
    }
}
