//! The states of a connection and the only function that moves between them.
//!
//! ```text
//!                              +---------+   RFC 9293 §3.3.2, figure 5. LISTEN is a table of its own (listen.rs), and so
//!            active open       |  CLOSED |   are half-open passive connections (SYN-RECEIVED, until they are promoted to
//!            snd SYN  +--------|         |   ESTABLISHED) and TIME-WAIT (time_wait.rs), which need a fraction of the memory.
//!                     V        +---------+
//!               +---------+
//!               |   SYN   |  rcv SYN, snd SYN+ACK   +---------+
//!               |   SENT  |------------------------>|   SYN   |      simultaneous open
//!               +---------+                         |   RCVD  |      a CLOSE here waits for ESTABLISHED
//!     rcv SYN+ACK |                                 +---------+
//!     snd ACK     V              rcv ACK of SYN      |
//!               +---------+<-------------------------+
//!               |  ESTAB  |------------------------------+
//!               +---------+   rcv FIN, snd ACK           |
//!     CLOSE       |                                      V
//!     snd FIN     V                                 +---------+
//!               +---------+                         |  CLOSE  |
//!               |  FIN    |                         |   WAIT  |
//!               | WAIT-1  |------------------+      +---------+
//!               +---------+ rcv FIN, snd ACK |           | CLOSE, snd FIN
//!     rcv ACK     |                          V           V
//!     of FIN      V                     +---------+ +---------+
//!               +---------+             | CLOSING | | LAST-ACK|
//!               |FINWAIT-2|             +---------+ +---------+
//!               +---------+                  | rcv ACK   | rcv ACK of FIN
//!     rcv FIN     |                          V of FIN    V
//!     snd ACK     |                     +---------+ +---------+
//!                 +-------------------->|TIME-WAIT| |  CLOSED |
//!                                       +---------+ +---------+
//! ```

use core::fmt;

/// RFC 9293 §3.3.2, without LISTEN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// No connection: it ended, and its event has not been polled yet.
    Closed,
    /// A SYN was sent.
    SynSent,
    /// SYNs crossed.
    SynReceived,
    /// Data flows both ways.
    Established,
    /// Closed here; the FIN is queued or sent.
    FinWait1,
    /// Closed here and acknowledged; the peer may send.
    FinWait2,
    /// Closed by the peer; we may send.
    CloseWait,
    /// FINs crossed; ours is not acknowledged.
    Closing,
    /// Closed by the peer, then here.
    LastAck,
    /// Both closed; what remains in the network is waited out.
    TimeWait,
}

/// What moves a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Transition {
    /// The application opens.
    ActiveOpen,
    /// A SYN without an ACK arrived in answer to ours.
    SynReceived,
    /// Our SYN was acknowledged, and the peer's has arrived.
    HandshakeDone,
    /// The application closes.
    Close,
    /// The peer's FIN arrived in order.
    FinReceived,
    /// Our FIN was acknowledged.
    FinAcked,
    /// A reset, an abort, or a timer ends it.
    Abort,
}

impl State {
    /// Every state.
    pub const ALL: [State; 10] = [
        State::Closed,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];

    /// The state after `transition`; `None` when it has no meaning here.
    pub const fn after(self, transition: Transition) -> Option<State> {
        use State as S;
        use Transition as T;
        Some(match (self, transition) {
            (S::Closed, T::ActiveOpen) => S::SynSent,
            (S::SynSent, T::SynReceived) => S::SynReceived,
            (S::SynSent | S::SynReceived, T::HandshakeDone) => S::Established,
            (S::SynSent, T::Close) => S::Closed,
            (S::Established, T::Close) => S::FinWait1,
            (S::CloseWait, T::Close) => S::LastAck,
            (S::Established, T::FinReceived) => S::CloseWait,
            (S::FinWait1, T::FinReceived) => S::Closing,
            (S::FinWait2, T::FinReceived) => S::TimeWait,
            (S::FinWait1, T::FinAcked) => S::FinWait2,
            (S::Closing, T::FinAcked) => S::TimeWait,
            (S::LastAck, T::FinAcked) => S::Closed,
            (_, T::Abort) => S::Closed,
            _ => return None,
        })
    }

    /// True when both sides know each other's sequence numbers (RFC 9293 §3.3.2's synchronized states).
    #[inline]
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, State::Closed | State::SynSent | State::SynReceived)
    }

    /// True when the application may queue data.
    #[inline]
    pub const fn can_queue(self) -> bool {
        matches!(self, State::SynSent | State::SynReceived | State::Established | State::CloseWait)
    }

    /// True when queued data (and a FIN) may be sent or sent again. In SYN-RECEIVED only after a Fast Open, and no FIN.
    #[inline]
    pub const fn can_transmit(self) -> bool {
        matches!(
            self,
            State::SynReceived
                | State::Established
                | State::CloseWait
                | State::FinWait1
                | State::Closing
                | State::LastAck
        )
    }

    /// True when the peer may still send data.
    #[inline]
    pub const fn can_receive(self) -> bool {
        matches!(self, State::SynReceived | State::Established | State::FinWait1 | State::FinWait2)
    }

    /// The name that RFC 9293 uses.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        }
    }
}

impl Transition {
    /// Every transition.
    pub const ALL: [Transition; 7] = [
        Transition::ActiveOpen,
        Transition::SynReceived,
        Transition::HandshakeDone,
        Transition::Close,
        Transition::FinReceived,
        Transition::FinAcked,
        Transition::Abort,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_table_is_the_one_of_the_rfc() {
        let mut table = String::new();
        for state in State::ALL {
            for transition in Transition::ALL {
                if let Some(after) = state.after(transition) {
                    table.push_str(&format!("{state} --{transition:?}--> {after}\n"));
                }
            }
        }
        assert_eq!(table, include_str!("tests/transitions.txt"));
    }
}
