//! The `config` lines of a script. Features are off and limits small unless a script says otherwise, so that scripts
//! show what they are about.

use std::net::IpAddr;
use std::time::Duration;

use netstack::config::StackConfig;
use netstack::ip::Cidr;
use netstack::rng::Seed;
use netstack::stack::Stack;
use netstack::tcp::{
    CongestionKind, EcnMode, KeepAlive, ListenConfig, MemoryLimits, OnMemoryExhausted, SynCookieMode, TcpConfig,
};
use netstack::{FramePool, Instant};

use crate::wire::{PEER_MAC, STACK_MAC};

pub struct Settings {
    tcp: TcpConfig,
    mtu: u16,
    backlog: usize,
    fast_open: usize,
    pub address: IpAddr,
    pub peer: IpAddr,
    pub peer_isn: u32,
}

impl Settings {
    pub fn read(config: &[(String, String)]) -> Result<Settings, String> {
        let tcp = TcpConfig {
            timestamps: false,
            sack: false,
            window_scaling: false,
            pacing: false,
            quick_acks: 0,
            syn_cookies: SynCookieMode::Off,
            ..TcpConfig::default()
        };
        let (address, peer) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut settings = Settings { tcp, mtu: 1500, backlog: 16, fast_open: 0, address, peer, peer_isn: 0x1000_0000 };
        for (name, value) in config {
            settings.set(name, value).map_err(|reason| format!("config {name}={value}: {reason}"))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let tcp = &mut self.tcp;
        match name {
            "timestamps" => tcp.timestamps = switch(value)?,
            "sack" => tcp.sack = switch(value)?,
            "wscale" => tcp.window_scaling = switch(value)?,
            "ecn" => tcp.ecn = ecn(value)?,
            "congestion" => tcp.congestion = CongestionKind::from_name(value).ok_or("no such controller")?,
            "syn_cookies" => tcp.syn_cookies = syn_cookies(value)?,
            "fast_open" => self.fast_open = number(value)?,
            "nagle" => tcp.nagle = switch(value)?,
            "pacing" => tcp.pacing = switch(value)?,
            "receive_buffer" => (tcp.receive_buffer, tcp.receive_buffer_max) = (number(value)?, number(value)?),
            "receive_buffer_max" => tcp.receive_buffer_max = number(value)?,
            "send_buffer" => (tcp.send_buffer, tcp.send_buffer_max) = (number(value)?, number(value)?),
            "send_buffer_max" => tcp.send_buffer_max = number(value)?,
            "quick_acks" => tcp.quick_acks = number(value)?,
            "memory" => tcp.memory = MemoryLimits::of(number(value)?),
            "on_memory_exhausted" => tcp.on_memory_exhausted = on_memory_exhausted(value)?,
            "max_connections" => tcp.max_connections = number(value)?,
            "max_half_open" => tcp.max_half_open = number(value)?,
            "max_time_wait" => tcp.max_time_wait = number(value)?,
            "max_out_of_order_segments" => tcp.max_out_of_order_segments = number(value)?,
            "initial_window" => tcp.initial_window_segments = number(value)?,
            "syn_retries" => tcp.syn_retries = number(value)?,
            "syn_ack_retries" => tcp.syn_ack_retries = number(value)?,
            "data_retries" => tcp.data_retries = number(value)?,
            "time_wait" => tcp.time_wait = seconds(value)?,
            "fin_wait_2" => tcp.fin_wait_2 = seconds(value)?,
            "rto_min" => tcp.rto_min = seconds(value)?,
            "rto_max" => tcp.rto_max = seconds(value)?,
            "user_timeout" => tcp.user_timeout = Some(seconds(value)?),
            "delayed_ack" => tcp.delayed_ack = seconds(value)?,
            "challenge_interval" => tcp.challenge_interval = seconds(value)?,
            "keep_alive" => tcp.keep_alive = Some(keep_alive(value)?),
            "mtu" => self.mtu = number(value)?,
            "backlog" => self.backlog = number(value)?,
            "peer_isn" => self.peer_isn = number(value)?,
            "family" if value == "ipv6" => {
                let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
                (self.address, self.peer) = (address(1), address(2));
            }
            _ => return Err("no such setting".into()),
        }
        Ok(())
    }

    pub fn stack(&self, pool: FramePool, now: Instant) -> Result<Stack, String> {
        let prefix = if self.address.is_ipv4() { 24 } else { 64 };
        let config = StackConfig {
            mac: STACK_MAC,
            mtu: self.mtu,
            addresses: vec![Cidr::new(self.address, prefix).ok_or("the prefix is too long")?],
            static_neighbors: vec![(self.peer, PEER_MAC)],
            announce: false,
            tcp: self.tcp.clone(),
            ..StackConfig::default()
        };
        Stack::new(config, pool, Seed::from_number(42), now).map_err(|error| error.to_string())
    }

    pub fn listen(&self, port: u16) -> ListenConfig {
        ListenConfig { backlog: self.backlog, fast_open: self.fast_open, ..ListenConfig::port(port) }
    }
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("'on' or 'off' is expected".into()),
    }
}

fn ecn(value: &str) -> Result<EcnMode, String> {
    match value {
        "off" => Ok(EcnMode::Off),
        "passive" => Ok(EcnMode::Passive),
        "active" => Ok(EcnMode::Active),
        _ => Err("'off', 'passive' or 'active' is expected".into()),
    }
}

fn syn_cookies(value: &str) -> Result<SynCookieMode, String> {
    match value {
        "off" => Ok(SynCookieMode::Off),
        "when_full" => Ok(SynCookieMode::WhenFull),
        "always" => Ok(SynCookieMode::Always),
        _ => Err("'off', 'when_full' or 'always' is expected".into()),
    }
}

fn on_memory_exhausted(value: &str) -> Result<OnMemoryExhausted, String> {
    match value {
        "reset_largest" => Ok(OnMemoryExhausted::ResetLargest),
        "reset_oldest" => Ok(OnMemoryExhausted::ResetOldest),
        "refuse" => Ok(OnMemoryExhausted::Refuse),
        _ => Err("'reset_largest', 'reset_oldest' or 'refuse' is expected".into()),
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "a number is expected".into())
}

fn seconds(value: &str) -> Result<Duration, String> {
    number::<f64>(value).map(Duration::from_secs_f64)
}

/// `IDLE/INTERVAL/PROBES`, times in seconds.
fn keep_alive(value: &str) -> Result<KeepAlive, String> {
    match value.split('/').collect::<Vec<_>>()[..] {
        [idle, interval, probes] => {
            Ok(KeepAlive { idle: seconds(idle)?, interval: seconds(interval)?, probes: number(probes)? })
        }
        _ => Err("IDLE/INTERVAL/PROBES is expected".into()),
    }
}
