//! What the stack knows of each of its addresses, and the moves between the states of one.
//!
//! ```text
//!                detection done               preferred lifetime over         valid lifetime over
//!   TENTATIVE ──────────────────▶ PREFERRED ─────────────────────▶ DEPRECATED ──────────────────▶ (gone)
//!      │ somebody else has it         ▲ └──── advertised anew ─────────┘
//!      ▼                              │
//!   DUPLICATE                         └ at once, where nothing is detected
//! ```
//!
//! RFC 4862 §5.4 and §5.5.4 for IPv6; IPv4 addresses live by the same states, with the probes of RFC 5227. A duplicate
//! address stays in the table, so that people see it, and is never used.

use core::fmt;
use core::net::IpAddr;

use crate::ip::Cidr;
use crate::time::Instant;

/// Where an address came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AddressOrigin {
    /// The configuration.
    Static,
    /// Made for the link (RFC 4862 §5.3).
    LinkLocal,
    /// A prefix that a router advertised (RFC 4862 §5.5).
    Slaac,
    /// A DHCP lease (RFC 2131).
    Dhcp,
}

impl AddressOrigin {
    /// The word that people are shown.
    pub const fn name(self) -> &'static str {
        match self {
            AddressOrigin::Static => "static",
            AddressOrigin::LinkLocal => "link-local",
            AddressOrigin::Slaac => "slaac",
            AddressOrigin::Dhcp => "dhcp",
        }
    }
}

/// How far an address may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AddressState {
    /// Being probed: not used, not answered for.
    Tentative,
    /// In use.
    Preferred,
    /// In use by those who have it; new connections leave from another one.
    Deprecated,
    /// Somebody else has it: never used.
    Duplicate,
}

/// What moves an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AddressEvent {
    /// Nobody answered the probes.
    Unique,
    /// Somebody else has it.
    Conflict,
    /// The preferred lifetime is over.
    PreferredOver,
    /// A router or server gave it a preferred lifetime again.
    PreferredAgain,
}

impl AddressState {
    /// Every state.
    pub const ALL: [AddressState; 4] =
        [AddressState::Tentative, AddressState::Preferred, AddressState::Deprecated, AddressState::Duplicate];

    /// The state after `event`; `None` when it has no meaning here.
    pub const fn after(self, event: AddressEvent) -> Option<AddressState> {
        use AddressEvent as E;
        use AddressState as S;
        Some(match (self, event) {
            (S::Tentative, E::Unique) => S::Preferred,
            (S::Tentative, E::Conflict) => S::Duplicate,
            (S::Preferred, E::PreferredOver) => S::Deprecated,
            (S::Deprecated, E::PreferredAgain) => S::Preferred,
            _ => return None,
        })
    }

    /// True for an address that packets may come to.
    pub const fn is_used(self) -> bool {
        matches!(self, AddressState::Preferred | AddressState::Deprecated)
    }

    /// The word that people are shown.
    pub const fn name(self) -> &'static str {
        match self {
            AddressState::Tentative => "tentative",
            AddressState::Preferred => "preferred",
            AddressState::Deprecated => "deprecated",
            AddressState::Duplicate => "duplicate",
        }
    }
}

impl AddressEvent {
    /// Every event.
    pub const ALL: [AddressEvent; 4] =
        [AddressEvent::Unique, AddressEvent::Conflict, AddressEvent::PreferredOver, AddressEvent::PreferredAgain];
}

impl fmt::Display for AddressState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One address, as shown to people and told to other workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressInfo {
    /// The address with its prefix.
    pub cidr: Cidr,
    /// Where it came from.
    pub origin: AddressOrigin,
    /// How far it may be used.
    pub state: AddressState,
    /// End of its preferred lifetime; `None`: never.
    pub preferred_until: Option<Instant>,
    /// End of its valid lifetime; `None`: never.
    pub valid_until: Option<Instant>,
}

/// One address in the host's table.
#[derive(Clone, Debug)]
pub(crate) struct HostAddress {
    pub cidr: Cidr,
    pub origin: AddressOrigin,
    pub state: AddressState,
    pub preferred_until: Instant,
    pub valid_until: Instant,
    /// Probes sent while it is tentative, announcements once it is in use.
    pub sent: u8,
    /// When the next probe or announcement, or the verdict, is due.
    pub due: Instant,
    /// How many identifiers were tried for the prefix (RFC 7217 §6).
    pub dad_counter: u8,
    /// Tells our own probes, looped back by the link, from those of others (RFC 7527).
    pub nonce: [u8; 6],
    /// When somebody was last told that it is ours (RFC 5227 §2.4).
    pub defended_at: Option<Instant>,
}

impl HostAddress {
    /// An address without an end, in `state`.
    pub(crate) fn new(cidr: Cidr, origin: AddressOrigin, state: AddressState) -> HostAddress {
        let never = Instant::FAR_FUTURE;
        HostAddress {
            cidr,
            origin,
            state,
            preferred_until: never,
            valid_until: never,
            sent: 0,
            due: never,
            dad_counter: 0,
            nonce: [0; 6],
            defended_at: None,
        }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.cidr.address()
    }

    /// Moves by `event`; false when that changed nothing.
    pub(crate) fn move_by(&mut self, event: AddressEvent) -> bool {
        match self.state.after(event) {
            Some(next) => {
                self.state = next;
                true
            }
            None => false,
        }
    }

    /// Compares the lifetimes with the clock; `None` when the valid one is over, else whether the state changed.
    pub(crate) fn age(&mut self, now: Instant) -> Option<bool> {
        if self.valid_until <= now {
            return None;
        }
        let event =
            if self.preferred_until <= now { AddressEvent::PreferredOver } else { AddressEvent::PreferredAgain };
        Some(self.move_by(event))
    }

    /// When something is due for it.
    pub(crate) fn next_at(&self) -> Instant {
        let preferred = if self.state == AddressState::Preferred { self.preferred_until } else { Instant::FAR_FUTURE };
        self.due.min(preferred).min(self.valid_until)
    }

    pub(crate) fn info(&self) -> AddressInfo {
        let ends = |at: Instant| (at != Instant::FAR_FUTURE).then_some(at);
        AddressInfo {
            cidr: self.cidr,
            origin: self.origin,
            state: self.state,
            preferred_until: ends(self.preferred_until),
            valid_until: ends(self.valid_until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_are_those_of_the_rfc() {
        let mut table = String::new();
        for state in AddressState::ALL {
            for event in AddressEvent::ALL {
                if let Some(after) = state.after(event) {
                    table.push_str(&format!("{state} --{event:?}--> {after}\n"));
                }
            }
        }
        let expected = "tentative --Unique--> preferred\n\
                        tentative --Conflict--> duplicate\n\
                        preferred --PreferredOver--> deprecated\n\
                        deprecated --PreferredAgain--> preferred\n";
        assert_eq!(table, expected);
    }
}
