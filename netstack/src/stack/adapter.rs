//! Stand-in for the TCP module while it is being written.
#![allow(missing_docs, unused_variables, clippy::all)]
#[path = "../tcp/chunk.rs"]
pub mod chunk;
#[path = "../tcp/config.rs"]
pub mod config;
#[path = "../tcp/event.rs"]
pub mod event;
#[path = "../tcp/info.rs"]
pub mod info;
#[path = "../tcp/seq.rs"]
pub mod seq;
#[path = "../tcp/tuple.rs"]
pub mod tuple;
pub use chunk::RecvChunk;
pub use config::*;
pub use event::*;
pub use info::ConnInfo;
use crate::ip::{Egress, IpMeta};
use crate::{Frame, Instant, rng::Seed, rss::Steering};
use core::net::SocketAddr;
pub struct Ctx<'a> { pub now: Instant, pub egress: &'a mut Egress }
pub enum IcmpErrorKind { Unreachable { hard: bool }, PacketTooBig { mtu: u16 } }
pub struct IcmpError { pub local: SocketAddr, pub remote: SocketAddr, pub seq: u32, pub kind: IcmpErrorKind }
crate::counters! { pub enum TcpCounter / TcpCounters { RxSegments = "rx_segments", "segments"; } }
pub struct Tcp(TcpCounters);
impl Tcp {
    pub fn new(c: TcpConfig, s: Option<Steering>, seed: &Seed, now: Instant) -> Tcp { Tcp(TcpCounters::default()) }
    pub fn handle_segment(&mut self, ctx: &mut Ctx<'_>, meta: &IpMeta, frame: Frame) {}
    pub fn handle_icmp_error(&mut self, ctx: &mut Ctx<'_>, e: IcmpError) {}
    pub fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {}
    pub fn settle(&mut self, ctx: &mut Ctx<'_>) {}
    pub fn poll_transmit(&mut self, ctx: &mut Ctx<'_>, max: usize) -> usize { 0 }
    pub fn poll_timeout(&self) -> Option<Instant> { None }
    pub fn poll_event(&mut self) -> Option<TcpEvent> { None }
    pub fn listen(&mut self, e: &Egress, c: ListenConfig) -> Result<ListenerId, ListenError> { Err(ListenError::InUse) }
    pub fn unlisten(&mut self, id: ListenerId) {}
    pub fn connect(&mut self, ctx: &mut Ctx<'_>, c: ConnectConfig) -> Result<ConnId, ConnectError> { Err(ConnectError::NoSource) }
    pub fn peek(&self, id: ConnId) -> &[u8] { &[] }
    pub fn consume(&mut self, id: ConnId, n: usize) {}
    pub fn take_chunk(&mut self, id: ConnId) -> Option<RecvChunk> { None }
    pub fn recv_len(&self, id: ConnId) -> usize { 0 }
    pub fn recv_finished(&self, id: ConnId) -> bool { false }
    pub fn send(&mut self, id: ConnId, data: bytes::Bytes) -> Result<(), SendError> { Err(SendError::NoConnection) }
    pub fn send_room(&self, id: ConnId) -> usize { 0 }
    pub fn send_queued(&self, id: ConnId) -> usize { 0 }
    pub fn close(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {}
    pub fn abort(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {}
    pub fn set_token(&mut self, id: ConnId, t: u32) {}
    pub fn token(&self, id: ConnId) -> Option<u32> { None }
    pub fn local(&self, id: ConnId) -> Option<SocketAddr> { None }
    pub fn remote(&self, id: ConnId) -> Option<SocketAddr> { None }
    pub fn is_open(&self, id: ConnId) -> bool { false }
    pub fn counters(&self) -> &TcpCounters { &self.0 }
    pub fn connections(&self, from: usize, max: usize) -> impl Iterator<Item = ConnInfo> + '_ { core::iter::empty() }
    pub fn connection_count(&self) -> usize { 0 }
}
