//! Two hosts on a wire, and time between them.

use std::collections::VecDeque;
use std::time::Duration;

use netstack::config::StackConfig;
use netstack::ip::Cidr;
use netstack::rng::Seed;
use netstack::stack::Stack;
use netstack::tcp::ListenConfig;
use netstack::{Frame, FramePool, Instant};
use port::Port;
use port::sim::{Side, SimPort, Wire};

use crate::application::{Application, SERVER_PORT};
use crate::scenario::Scenario;

/// Virtual time after which a run has failed.
const TIME_LIMIT: Duration = Duration::from_secs(3600);
/// Turns at one moment after which the hosts talk in circles.
const TURN_LIMIT: usize = 10_000;
const BURST: usize = 32;

pub struct Host {
    pub stack: Stack,
    pub port: SimPort,
    pub application: Application,
    received: Vec<Frame>,
    to_send: VecDeque<Frame>,
}

impl Host {
    fn new(scenario: &Scenario, side: Side, wire: &Wire) -> Result<Host, String> {
        let pool = FramePool::heap(scenario.sim.ends.pool_frames);
        let port = wire.port(side, 0, pool.clone());
        let index = side as usize;
        let address = scenario.addresses[index];
        let config = StackConfig {
            mac: port.info().mac,
            mtu: port.info().mtu,
            addresses: vec![Cidr::new(address, if address.is_ipv4() { 24 } else { 64 }).ok_or("no prefix")?],
            tx_checksum_offload: port.capabilities().tx_checksum,
            tcp: scenario.tcp[index].clone(),
            ..StackConfig::default()
        };
        let seed = Seed::from_number(scenario.seed.wrapping_mul(2) + index as u64);
        let mut stack = Stack::new(config, pool, seed, Instant::ZERO).map_err(|error| error.to_string())?;
        if side == Side::B {
            stack.listen(ListenConfig::port(SERVER_PORT)).map_err(|error| error.to_string())?;
        }
        let application = Application::new(side == Side::A, scenario);
        Ok(Host { stack, port, application, received: Vec::new(), to_send: VecDeque::new() })
    }

    /// One turn of a run loop; true when something moved.
    fn turn(&mut self, now: Instant) -> Result<bool, String> {
        let received = self.port.rx_burst(now, &mut self.received, BURST);
        for frame in self.received.drain(..) {
            self.stack.handle_frame(now, frame);
        }
        self.stack.handle_timeout(now);
        self.application.run(now, &mut self.stack)?;
        self.stack.settle(now);
        let sent = self.stack.poll_transmit(now, &mut self.to_send, BURST);
        self.port.tx_burst(now, &mut self.to_send);
        while self.stack.poll_neighbor().is_some() {}
        Ok(received + sent > 0)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.port.poll_timeout(), self.application.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}

pub struct Network {
    pub hosts: [Host; 2],
    pub now: Instant,
    wire: Wire,
    /// When the cable goes out or in again, latest first.
    switches: Vec<(Instant, bool)>,
}

impl Network {
    pub fn new(scenario: &Scenario) -> Result<Network, String> {
        let wire = Wire::new(scenario.sim.clone(), scenario.seed);
        let host = |side| Host::new(scenario, side, &wire);
        let hosts = [host(Side::A)?, host(Side::B)?];
        let outage = scenario.outage.into_iter();
        let switches = outage.flat_map(|(out, back)| [(back, true), (out, false)]);
        let switches = switches.map(|(at, up)| (Instant::ZERO + at, up)).collect();
        Ok(Network { hosts, now: Instant::ZERO, wire, switches })
    }

    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Until every job has ended on both sides.
    pub fn run(&mut self) -> Result<(), String> {
        while !self.hosts.iter().all(|host| host.application.is_done()) || self.hosts[1].application.streams.is_empty()
        {
            let next = self.next_event().ok_or("nothing is to happen any more, and jobs are left")?;
            self.advance(next)?;
        }
        Ok(())
    }

    /// Lets everything that is to come happen, TIME-WAIT included.
    pub fn settle(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.advance(next)?;
        }
        self.advance(until)
    }

    fn next_event(&self) -> Option<Instant> {
        let switch = self.switches.last().map(|(at, _)| *at);
        self.hosts.iter().filter_map(Host::poll_timeout).chain(switch).min()
    }

    /// To `next`, and there until nobody has anything more to do. Timers may ask to be looked at early: time moves on.
    fn advance(&mut self, next: Instant) -> Result<(), String> {
        self.now = next.max(self.now.plus_nanos(1_000));
        if self.now > Instant::ZERO + TIME_LIMIT {
            return Err("the time limit is reached".into());
        }
        while let Some((_, up)) = self.switches.pop_if(|(at, _)| *at <= self.now) {
            self.wire.set_link(up);
        }
        for _ in 0..TURN_LIMIT {
            let moved = [self.hosts[0].turn(self.now)?, self.hosts[1].turn(self.now)?];
            if moved == [false; 2] {
                return Ok(());
            }
        }
        Err(format!("the hosts talk in circles at {:?}", self.now))
    }

    /// How far everything is, for the report of a failure.
    pub fn progress(&self) -> String {
        let mut text = format!("  at {:?}", self.now);
        for (host, name) in self.hosts.iter().zip(["client", "server"]) {
            for (conn, stream) in host.application.streams.values().filter(|(_, stream)| stream.ended.is_none()) {
                let room = host.stack.send_room(*conn);
                text += &format!("\n  {name}: {stream:?} room {room} waiting {}", host.stack.recv_len(*conn));
            }
        }
        text
    }
}
