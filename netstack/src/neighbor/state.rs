//! The states of one neighbour and every move between them: a pure function, printed by a snapshot test.
//!
//! ```text
//!              NS/NA/ARP answer                    ReachableTime
//!  INCOMPLETE ────────────────▶ REACHABLE ───────────────────────▶ STALE
//!    │  ▲ no answer: gone          ▲  ▲                              │ a packet is sent
//!    ▼  │                          │  └─ answer, ────── DELAY ◀──────┘
//!  (none)                          │     progress        │ 5 s
//!    ▲                             └─ answer, progress ─ PROBE
//!    └─────────────── no answer ──────────────────────────┘
//! ```
//!
//! RFC 4861 §7.3.2 and appendix C; ARP entries live by the same rules (as in Linux and the BSDs), with a reply for a
//! solicited advertisement with the override flag, and a request or announcement for an unsolicited one.

/// How far a neighbour is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum NeighborState {
    /// Asked for, not yet answered.
    Incomplete,
    /// Confirmed lately.
    Reachable,
    /// Known, not confirmed lately.
    Stale,
    /// Used while stale; to be probed unless something confirms it.
    Delay,
    /// Being probed.
    Probe,
    /// Configured, or (with the kernel owning ARP) learned from traffic: never asked, never aged.
    Permanent,
}

/// What happens to a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeighborEvent {
    /// It asked for us and told its link address along; `differs` from the one known.
    Heard {
        /// Not the address that is known.
        differs: bool,
    },
    /// It answered us.
    Answered {
        /// Not the address that is known.
        differs: bool,
        /// The override flag: the new address shall replace the known one.
        overrides: bool,
    },
    /// It advertised itself unasked.
    Announced {
        /// Not the address that is known.
        differs: bool,
        /// The override flag.
        overrides: bool,
    },
    /// A connection over it made progress (RFC 4861 §7.3.1).
    Progress,
    /// A packet is sent to it.
    Used,
    /// Its timer ran out and another try is allowed.
    Timer,
    /// Its timer ran out for the last time.
    TimerLast,
}

/// The timer that a state waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeighborTimer {
    /// As it was.
    Keep,
    /// None.
    Stop,
    /// ReachableTime, randomised (RFC 4861 §6.3.2).
    Reachable,
    /// DELAY_FIRST_PROBE_TIME, 5 s.
    Delay,
    /// RetransTimer, 1 s.
    Retransmit,
}

/// What to do for an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The state after it; `None` when the neighbour is forgotten.
    pub next: Option<NeighborState>,
    /// Take over the link address that came along.
    pub take: bool,
    /// What becomes of the timer.
    pub timer: NeighborTimer,
    /// Ask for the neighbour: by multicast or broadcast while its address is unknown, else by unicast.
    pub solicit: bool,
}

/// The transition table.
pub fn step(state: NeighborState, event: NeighborEvent) -> Step {
    use NeighborEvent as E;
    use NeighborState as S;
    use NeighborTimer as T;
    let to = |next, take, timer| Step { next: Some(next), take, timer, solicit: false };
    let stay = to(state, false, T::Keep);
    match (state, event) {
        (S::Permanent, _) => stay,

        // RFC 4861 §7.2.3, §7.2.5: the first link address that is heard ends the wait.
        (S::Incomplete, E::Heard { .. } | E::Announced { .. }) => to(S::Stale, true, T::Stop),
        (S::Incomplete, E::Answered { .. }) => to(S::Reachable, true, T::Reachable),
        (S::Incomplete, E::Used) => stay,
        (S::Incomplete, E::Timer) => Step { solicit: true, ..to(S::Incomplete, false, T::Retransmit) },
        (S::Incomplete, E::TimerLast) => Step { next: None, ..stay },

        // RFC 4861 §7.2.3: a changed link address is taken and must be confirmed; the same one changes nothing.
        (_, E::Heard { differs: true }) => to(S::Stale, true, T::Stop),
        (_, E::Heard { differs: false }) => stay,

        // RFC 4861 §7.2.5: without the override flag a different address is not taken, only doubted.
        (S::Reachable, E::Answered { differs: true, overrides: false })
        | (S::Reachable, E::Announced { differs: true, overrides: false }) => to(S::Stale, false, T::Stop),
        (_, E::Answered { differs: true, overrides: false })
        | (_, E::Announced { differs: true, overrides: false }) => stay,
        (_, E::Answered { differs, .. }) => to(S::Reachable, differs, T::Reachable),
        (_, E::Announced { differs: true, overrides: true }) => to(S::Stale, true, T::Stop),
        (_, E::Announced { differs: false, .. }) => stay,

        // RFC 4861 §7.3.1, §7.3.3: as good as a solicited answer, for an address that is known.
        (S::Incomplete, E::Progress) => stay,
        (_, E::Progress) => to(S::Reachable, false, T::Reachable),

        // RFC 4861 §7.3.3: sending to a stale neighbour starts the clock of reachability confirmation.
        (S::Stale, E::Used) => to(S::Delay, false, T::Delay),
        (_, E::Used) => stay,

        (S::Reachable, E::Timer | E::TimerLast) => to(S::Stale, false, T::Stop),
        (S::Delay, E::Timer | E::TimerLast) => Step { solicit: true, ..to(S::Probe, false, T::Retransmit) },
        (S::Probe, E::Timer) => Step { solicit: true, ..to(S::Probe, false, T::Retransmit) },
        (S::Probe, E::TimerLast) => Step { next: None, ..stay },
        (S::Stale, E::Timer | E::TimerLast) => stay,
    }
}
