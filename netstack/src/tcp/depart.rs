//! What becomes of connections whose local address is not the stack's any more.
//!
//! They end, with a reason of their own and without a reset: nothing may leave from that address. Finding them means to
//! look at every connection once, so it is done in bounded steps between bursts.

use core::net::IpAddr;

use super::event::EndReason;
use super::{Ctx, Outcome, Tcp, input, time_wait};
use crate::counters::TcpCounter;

/// Slots of each table looked at in one step.
const STEP: usize = 1024;

/// The search for the connections of one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    address: IpAddr,
    next: usize,
}

impl Departure {
    /// Begins with the first slot.
    pub(crate) fn of(address: IpAddr) -> Departure {
        Departure { address, next: 0 }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Tcp {
    /// Takes one step; true when every connection was looked at.
    pub(crate) fn end_departed(&mut self, ctx: &mut Ctx<'_>, departure: &mut Departure) -> bool {
        let address = departure.address;
        let from = departure.next;
        departure.next += STEP;
        for index in (from..departure.next).filter_map(|index| u32::try_from(index).ok()) {
            let lost = |conn: &super::control_block::Conn| conn.ended.is_none() && conn.tuple.local().ip() == address;
            if self.conns.at(index).is_some_and(lost) {
                self.shared.counters.bump(TcpCounter::EndAddressLost);
                self.apply(index, Outcome::End(EndReason::AddressLost), ctx);
            }
            let half_open = &self.shared.listeners.half_open;
            if half_open.at(index).is_some_and(|entry| entry.tuple.local().ip() == address) {
                self.shared.counters.bump(TcpCounter::EndAddressLost);
                input::remove_half_open(index, &mut self.shared);
            }
            if self.shared.time_waits.slab.at(index).is_some_and(|entry| entry.tuple.local().ip() == address) {
                time_wait::remove(index, &mut self.shared);
            }
        }
        let slots = [self.conns.slots(), self.shared.listeners.half_open.slots(), self.shared.time_waits.slab.slots()];
        slots.into_iter().all(|slots| departure.next >= slots)
    }
}
