//! The host's addresses across the workers of a port: one keeps the state ([`netstack::HostState`]), the others follow, and
//! each listens on the addresses that are in use.
//!
//! The state must arrive: a peer whose mailbox is full is told again in a later turn. What goes the other way (a router's
//! advertisement that came to another queue, say) comes again by itself.

use super::{Command, Worker};
use netstack::HostUpdate;
use port::Port;
use std::sync::Arc;

impl<P: Port> Worker<P> {
    /// Passes on what is new of the host, and follows it. Two comparisons when nothing is.
    #[inline]
    pub(super) fn follow_host(&mut self) {
        while let Some(update) = self.stack.poll_host_update() {
            for peer in &self.peers {
                peer.send(Command::Host(update.clone()));
            }
        }
        if self.stack.host_state().generation != self.host_generation {
            self.take_host_state();
        }
        if self.untold > 0 {
            self.tell_peers();
        }
    }

    /// The addresses may be others than before.
    #[cold]
    fn take_host_state(&mut self) {
        self.host_generation = self.stack.host_state().generation;
        if self.stack.keeps_host_state() {
            self.untold = self.peers.len();
            self.told.resize(self.peers.len(), 0);
        }
        let addresses: Vec<_> = self.stack.addresses().map(|cidr| cidr.address()).collect();
        if addresses == self.addresses {
            return;
        }
        self.addresses = addresses;
        if self.drain_until.is_none() {
            let wanted = std::mem::take(&mut self.wanted);
            // Every address is the stack's own, and no two listeners have the same: nothing can refuse them.
            let _ = self.listen(&wanted);
        }
    }

    fn tell_peers(&mut self) {
        let (state, generation) = (self.stack.host_state(), self.host_generation);
        for (peer, told) in self.peers.iter().zip(&mut self.told).filter(|(_, told)| **told != generation) {
            if peer.send(Command::Host(HostUpdate::State(Arc::clone(state)))) {
                *told = generation;
            }
        }
        self.untold = self.told.iter().filter(|told| **told != generation).count();
    }
}
