//! The states of a DHCP client and the only function that moves between them.
//!
//! ```text
//!    --------                               -------          RFC 2131 §4.4, figure 5, and one state more: CHECKING,
//!   |        | +-------------------------->|       |         in which the address that the server gave is probed
//!   | INIT-  | |     +-------------------->| INIT  |         on the link (§4.4.1, RFC 5227), before it is used.
//!   | REBOOT |NAK/   |         NAK, EXPIRED |       |<---+
//!   |        |restart|                      |       |    |
//!    --------  |     |                       -------     |
//!      | REQUEST     |                          | DISCOVER
//!      V       |     |                          V        |
//!   -----------      |                     -----------   |
//!  |           |-----+     NAK, no answer |           |  |
//!  | REBOOTING |        +---------------->| SELECTING |  |
//!  |           |        |  (by way of     |           |  |
//!   -----------         |   INIT)          -----------   |
//!      | ACK      ------------                  | OFFER, REQUEST
//!      |         |            |<----------------+        |
//!      |         | REQUESTING |                          |
//!      |          ------------                           |
//!      |            | ACK                                |
//!      V            V            somebody has it: DECLINE|
//!   -------------------------                            |
//!  |        CHECKING         |---------------------------+
//!   -------------------------                            | EXPIRED, NAK,
//!      | nobody has it                                   | somebody has it
//!      V                                                 |
//!   -------      T1      ----------       T2      -----------
//!  | BOUND |----------->| RENEWING |------------>| REBINDING |
//!   -------              ----------               -----------
//!      ^---------- ACK -------+----------- ACK ---------+
//! ```

use core::fmt;

/// RFC 2131 §4.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DhcpState {
    /// Nothing is known; waits to begin.
    Init,
    /// Servers are asked for offers.
    Selecting,
    /// An offer is asked for.
    Requesting,
    /// The address was given and is probed on the link.
    Checking,
    /// The address is in use.
    Bound,
    /// The server is asked for more time.
    Renewing,
    /// Any server is asked for more time.
    Rebinding,
    /// An address is remembered; waits to ask whether it is still good.
    InitReboot,
    /// Servers are asked whether the remembered address is still good.
    Rebooting,
}

/// What moves a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DhcpTransition {
    /// The wait before the first message is over.
    Begin,
    /// A server offered an address.
    Offer,
    /// A server acknowledged.
    Ack,
    /// A server refused.
    Nak,
    /// No server answered often enough.
    NoAnswer,
    /// No server answered, and the remembered lease is still good (RFC 2131 §3.2).
    LeaseStillGood,
    /// Nobody on the link has the address.
    Unique,
    /// Somebody on the link has the address.
    Conflict,
    /// T1 is over.
    RenewalDue,
    /// T2 is over.
    RebindingDue,
    /// The lease is over.
    Expired,
    /// The link came back: it may be another network.
    LinkUp,
}

impl DhcpState {
    /// Every state.
    pub const ALL: [DhcpState; 9] = [
        DhcpState::Init,
        DhcpState::Selecting,
        DhcpState::Requesting,
        DhcpState::Checking,
        DhcpState::Bound,
        DhcpState::Renewing,
        DhcpState::Rebinding,
        DhcpState::InitReboot,
        DhcpState::Rebooting,
    ];

    /// The state after `transition`; `None` when it has no meaning here.
    pub const fn after(self, transition: DhcpTransition) -> Option<DhcpState> {
        use DhcpState as S;
        use DhcpTransition as T;
        Some(match (self, transition) {
            (S::Init, T::Begin) => S::Selecting,
            (S::InitReboot, T::Begin) => S::Rebooting,
            (S::Selecting, T::Offer) => S::Requesting,
            (S::Requesting | S::Rebooting, T::Ack) => S::Checking,
            (S::Renewing | S::Rebinding, T::Ack) => S::Bound,
            (S::Requesting | S::Rebooting | S::Renewing | S::Rebinding, T::Nak) => S::Init,
            (S::Requesting | S::Rebooting, T::NoAnswer) => S::Init,
            (S::Rebooting, T::LeaseStillGood) => S::Bound,
            (S::Checking, T::Unique) => S::Bound,
            (S::Checking | S::Bound | S::Renewing | S::Rebinding, T::Conflict) => S::Init,
            (S::Bound, T::RenewalDue) => S::Renewing,
            (S::Bound | S::Renewing, T::RebindingDue) => S::Rebinding,
            (S::Checking | S::Bound | S::Renewing | S::Rebinding | S::InitReboot | S::Rebooting, T::Expired) => S::Init,
            (S::Bound | S::Renewing | S::Rebinding, T::LinkUp) => S::InitReboot,
            _ => return None,
        })
    }

    /// The name that RFC 2131 uses.
    pub const fn name(self) -> &'static str {
        match self {
            DhcpState::Init => "INIT",
            DhcpState::Selecting => "SELECTING",
            DhcpState::Requesting => "REQUESTING",
            DhcpState::Checking => "CHECKING",
            DhcpState::Bound => "BOUND",
            DhcpState::Renewing => "RENEWING",
            DhcpState::Rebinding => "REBINDING",
            DhcpState::InitReboot => "INIT-REBOOT",
            DhcpState::Rebooting => "REBOOTING",
        }
    }
}

impl DhcpTransition {
    /// Every transition.
    pub const ALL: [DhcpTransition; 12] = [
        DhcpTransition::Begin,
        DhcpTransition::Offer,
        DhcpTransition::Ack,
        DhcpTransition::Nak,
        DhcpTransition::NoAnswer,
        DhcpTransition::LeaseStillGood,
        DhcpTransition::Unique,
        DhcpTransition::Conflict,
        DhcpTransition::RenewalDue,
        DhcpTransition::RebindingDue,
        DhcpTransition::Expired,
        DhcpTransition::LinkUp,
    ];
}

impl fmt::Display for DhcpState {
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
        for state in DhcpState::ALL {
            for transition in DhcpTransition::ALL {
                if let Some(after) = state.after(transition) {
                    table.push_str(&format!("{state} --{transition:?}--> {after}\n"));
                }
            }
        }
        assert_eq!(table, include_str!("transitions.txt"));
    }
}
