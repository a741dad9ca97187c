//! A segment of a flow that another worker has (see [`crate::flows`]): handed back whole, for that worker.

use super::super::tuple::Tuple;
use super::super::{Misplaced, Tcp};
use super::listen::Arrival;
use crate::counters::TcpCounter;
use crate::frame::RxChecksum;
use crate::rss::Transport;

impl Tcp {
    /// The segment is for a flow of the worker `owner`.
    pub(super) fn hand_over(&mut self, owner: u16, arrival: Arrival<'_>) -> Option<Misplaced> {
        self.check_steering(arrival.tuple);
        if self.refuse_second_hand() {
            return None;
        }
        let mut frame = arrival.frame;
        frame.push_front(arrival.segment.header_len)?;
        // The owner need not sum it again, and could not tell that it came over a virtual link.
        frame.rx_checksum = RxChecksum::Verified;
        Some(Misplaced { owner, frame })
    }

    /// What another worker handed over goes no further: it would be sent in circles by two that are of two minds, as in
    /// the moment in which a flow changes hands.
    pub(in super::super) fn refuse_second_hand(&mut self) -> bool {
        if self.handed_over {
            self.shared.counters.bump(TcpCounter::DropHandedOverTwice);
        }
        self.handed_over
    }

    /// A segment for another worker came here. If that is not where the steering sends it, the steering is wrong.
    fn check_steering(&mut self, tuple: &Tuple) {
        let (Some(steering), Some(flows), false) = (&self.steering, &self.shared.flows, self.handed_over) else {
            return;
        };
        let (local, remote) = (tuple.local(), tuple.remote());
        let expected = steering.queue(Transport::Tcp, remote.ip(), local.ip(), remote.port(), local.port());
        if expected != steering.own_queue() {
            self.steering_lost |= flows.note_missteered();
            self.shared.counters.bump(TcpCounter::RxMissteered);
        }
    }
}
