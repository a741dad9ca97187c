//! What honest stacks emit, judged by what stands in their segments alone.
//!
//! For each connection and direction: the highest number sent, the last acknowledgment, the right edge of the window.
//! From them, at each segment: sequence numbers have no gap; acknowledgments never go back and never name what was not
//! sent; data stays within the window and the segment size that the other side offered; the right edge never retreats;
//! nothing follows a FIN; timestamps do not go back.

use std::collections::HashMap;
use std::net::IpAddr;

use super::segment::{ACK, FIN, RST, SYN, Segment, before};
use crate::fault::{Fault, Invariant};
use crate::hostile::HOP_LIMIT;

/// What one side of a connection has emitted.
#[derive(Clone, Copy, Debug, Default)]
struct Direction {
    /// Number of the SYN, once sent.
    iss: Option<u32>,
    /// Behind the highest number sent.
    next: u32,
    /// The window of the SYN, which counts from the other side's first number.
    syn_window: u32,
    last_ack: Option<u32>,
    edge: u32,
    scale: Option<u8>,
    mss: Option<u16>,
    fin_at: Option<u32>,
    timestamp: Option<u32>,
}

/// A connection, by the ports of client and server.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    sides: [Direction; 2],
    /// Numbers of two connections share the ports, until the client opens anew.
    muddled: bool,
    /// Somebody forged a SYN.
    forged: bool,
}

/// The judge of a wire.
pub struct WireCheck {
    addresses: [IpAddr; 2],
    flows: HashMap<(u16, u16), Flow>,
    /// The first fault.
    pub fault: Option<Fault>,
    /// The first segment of each side that is out of order: a gap before it, or a timestamp or an
    /// acknowledgment that goes back. A fault, unless
    /// the side's IP layer dropped segments or held them while it looked for a neighbour.
    pub disorder: [Option<Fault>; 2],
}

impl WireCheck {
    /// For segments between these two; others are not judged.
    pub fn new(addresses: [IpAddr; 2]) -> WireCheck {
        WireCheck { addresses, flows: HashMap::new(), fault: None, disorder: [None, None] }
    }

    /// `side` sends `frame`.
    pub fn see(&mut self, side: usize, frame: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let Some(segment) = Segment::parse(frame) else { return };
        let honest = segment.source.0 == self.addresses[side] && segment.destination.0 == self.addresses[1 - side];
        if !honest {
            return;
        }
        let (near, far) = (segment.source.1, segment.destination.1);
        let flow = self.flows.entry(if side == 0 { (near, far) } else { (far, near) }).or_default();
        // Whose SYN the server answers, the client's or a forged one, cannot be told.
        flow.forged |= segment.hop_limit == HOP_LIMIT && segment.has(SYN);
        if flow.forged || segment.hop_limit == HOP_LIMIT {
            return;
        }
        let fault = |text: String| {
            let place = format!("{near} to {far}, seq {} ack {}", segment.seq, segment.ack);
            let fault = Invariant::Wire.fault(format!("{text} ({place}, {} bytes)", segment.payload.len()));
            fault.at(crate::scenario::NAMES[side])
        };
        if let Some(text) = flow.sides[side].put_in_order(&segment).filter(|_| !flow.muddled) {
            self.disorder[side].get_or_insert_with(|| fault(text));
        }
        if let Err(text) = flow.judge(side, &segment) {
            self.fault = Some(fault(text));
        }
    }
}

impl Flow {
    fn judge(&mut self, side: usize, segment: &Segment<'_>) -> Result<(), String> {
        if segment.has(RST) {
            return Ok(());
        }
        if segment.has(SYN) {
            self.begin(side, segment);
        }
        if self.muddled {
            return Ok(());
        }
        let far = self.sides[1 - side];
        let near = &mut self.sides[side];
        if near.iss.is_none() {
            // An acknowledgment of a connection that is long over.
            return Ok(());
        }
        near.judge_sequence(segment, &far)?;
        if segment.has(ACK) && far.iss.is_some() {
            near.judge_acknowledgment(segment, &far)?;
        }
        Ok(())
    }

    /// A SYN begins a connection; the other side's numbers of an earlier one no longer count.
    fn begin(&mut self, side: usize, segment: &Segment<'_>) {
        let near = &self.sides[side];
        if near.iss == Some(segment.seq) {
            return;
        }
        let passive = segment.has(ACK);
        // Half a connection more, of an old SYN or of another cookie: which of the two the client takes is its choice.
        if passive && near.iss.is_some() {
            self.muddled = true;
            return;
        }
        let fresh = Direction {
            iss: Some(segment.seq),
            next: segment.seq,
            syn_window: u32::from(segment.window),
            scale: segment.scale,
            mss: segment.mss,
            ..Direction::default()
        };
        if !passive {
            // Of two SYNs that cross, the second one finds the first.
            let crossing = self.sides[1 - side].iss.is_some() && self.sides[1 - side].last_ack.is_none();
            if !crossing || near.iss.is_some() {
                self.sides[1 - side] = Direction::default();
            }
            self.muddled = false;
        }
        self.sides[side] = fresh;
    }
}

impl Direction {
    /// Finds what was left out before this segment, or comes late, and goes on behind it.
    fn put_in_order(&mut self, segment: &Segment<'_>) -> Option<String> {
        if self.iss.is_none() || segment.has(RST) || (segment.has(SYN) && self.iss != Some(segment.seq)) {
            return None;
        }
        let mut disorder = None;
        if before(self.next, segment.seq) {
            disorder = Some(format!("a gap: {} was not sent", self.next));
            self.next = segment.seq;
        }
        if segment.has(ACK) && self.last_ack.is_some_and(|last| before(segment.ack, last)) {
            disorder = Some(format!("acknowledges less than before ({:?})", self.last_ack));
        }
        let Some((value, _)) = segment.timestamps else { return disorder };
        if self.timestamp.is_some_and(|last| before(value, last)) {
            return Some(format!("timestamp {value} after {:?}", self.timestamp));
        }
        self.timestamp = Some(value);
        disorder
    }

    fn judge_sequence(&mut self, segment: &Segment<'_>, far: &Direction) -> Result<(), String> {
        if let Some(fin_at) = self.fin_at
            && before(fin_at, segment.end())
        {
            return Err("data behind the FIN".into());
        }
        if segment.payload.len() > usize::from(far.mss.unwrap_or(u16::MAX)) {
            return Err(format!("more than the segment size of {:?}", far.mss));
        }
        if segment.has(FIN) {
            self.fin_at = Some(segment.end());
        }
        let new = before(self.next, segment.end());
        let first_edge = self.iss.unwrap_or(segment.seq).wrapping_add(1 + far.syn_window);
        let edge = if before(far.edge, first_edge) { first_edge } else { far.edge };
        // RFC 9293 §3.8.6.1: a probe may lie one byte beyond the window.
        if new && far.last_ack.is_some() && before(edge.wrapping_add(1), segment.end()) {
            return Err(format!("beyond the window's edge at {edge}"));
        }
        if new {
            self.next = segment.end();
        }
        Ok(())
    }

    fn judge_acknowledgment(&mut self, segment: &Segment<'_>, far: &Direction) -> Result<(), String> {
        if before(far.next, segment.ack) {
            return Err(format!("acknowledges beyond {}, which was never sent", far.next));
        }
        if self.last_ack.is_some_and(|last| before(segment.ack, last)) {
            // A segment that was held back; told as disorder.
            return Ok(());
        }
        let first = self.last_ack.is_none();
        self.last_ack = Some(segment.ack);
        if far.fin_at.is_some_and(|fin_at| !before(segment.ack, fin_at)) {
            // Nothing more can come: the window means nothing.
            return Ok(());
        }
        // RFC 7323 §2.2: the window of a SYN is not scaled, and scaling needs both sides' options.
        let scale = if segment.has(SYN) { 0 } else { self.scale.and(far.scale).and(self.scale).unwrap_or(0).min(14) };
        let edge = segment.ack.wrapping_add(u32::from(segment.window) << scale);
        // RFC 7323 §2.4: an edge between two units of the scale is rounded down; and a SYN-ACK that is sent again after data,
        // which Fast Open allows, can say no more than 65,535.
        if !first && !segment.has(SYN) && before(edge.wrapping_add((1 << scale) - 1), self.edge) {
            return Err(format!("the window's right edge retreats from {} to {edge}", self.edge));
        }
        if first || before(self.edge, edge) {
            self.edge = edge;
        }
        Ok(())
    }
}
