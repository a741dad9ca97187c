//! What can be wrong with a run: which invariant failed, and how.

use core::fmt;

/// What must hold. Shrinking keeps a smaller scenario only when the same invariant fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// The scenario itself cannot be laid out.
    SetUp,
    /// Bytes arrive in order and unchanged, each once.
    Streams,
    /// Connections end as their applications asked.
    Endings,
    /// Events belong to connections that live.
    Events,
    /// Every connection ends within bounded virtual time.
    Time,
    /// Nobody is busy without something to do.
    Progress,
    /// What is emitted obeys RFC 9293: numbers, windows, sizes.
    Wire,
    /// The stack's own accounts agree.
    Audit,
    /// Timers, windows and memory stay within their bounds.
    Bounds,
    /// Nothing is left when everything is over.
    Leak,
    /// Counters agree with what happened.
    Ledger,
    /// The stack panics at nothing.
    Panic,
}

impl Invariant {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::SetUp => "set-up",
            Invariant::Streams => "byte streams are equal",
            Invariant::Endings => "connections end as asked",
            Invariant::Events => "events belong to live connections",
            Invariant::Time => "every connection ends in time",
            Invariant::Progress => "no busy loop",
            Invariant::Wire => "emitted segments obey the protocol",
            Invariant::Audit => "the stack's accounts agree",
            Invariant::Bounds => "timers, windows and memory have bounds",
            Invariant::Leak => "nothing is left",
            Invariant::Ledger => "counters agree",
            Invariant::Panic => "no panic",
        }
    }

    /// A fault of this kind.
    pub fn fault(self, text: impl Into<String>) -> Fault {
        Fault { invariant: self, text: text.into() }
    }

    /// [`Invariant::fault`] unless `holds`.
    pub fn check(self, holds: bool, text: impl FnOnce() -> String) -> Result<(), Fault> {
        if holds { Ok(()) } else { Err(self.fault(text())) }
    }
}

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub text: String,
}

impl Fault {
    /// The same, with its place in front.
    pub fn at(mut self, place: impl fmt::Display) -> Fault {
        self.text = format!("{place}: {}", self.text);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.invariant.name(), self.text)
    }
}
