//! A DHCP message (RFC 2131 §2, options of RFC 2132): replies read, requests written.
//!
//! ```text
//!    0                   1                   2                   3
//!   |     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
//!   |                            xid (4)                            |
//!   |           secs (2)            |           flags (2)           |
//!   |                          ciaddr  (4)                          |
//!   |                          yiaddr  (4)                          |
//!   |                          siaddr  (4)                          |
//!   |                          giaddr  (4)                          |
//!   |                          chaddr  (16)                         |
//!   |                          sname   (64)                         |
//!   |                          file    (128)                        |
//!   |         magic cookie (4)      |      options (variable)       |
//! ```
//!
//! smoltcp's reader knows neither option overload (RFC 2132 §9.3) nor options in parts (RFC 3396) nor classless routes,
//! and skips what is malformed; here a message with a broken option is refused whole.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use crate::ip::Cidr;

/// Bytes before the options.
const HEADER_LEN: usize = 240;
/// RFC 1542 §2.1: relays may drop what is shorter than a BOOTP message.
const MIN_LEN: usize = 300;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const SNAME: core::ops::Range<usize> = 44..108;
const FILE: core::ops::Range<usize> = 108..236;
/// Classless routes of one lease at most.
pub(crate) const MAX_ROUTES: usize = 16;
/// Bytes of one option, its parts put together, at most.
const MAX_OPTION: usize = 512;

mod option {
    pub const PAD: u8 = 0;
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const HOST_NAME: u8 = 12;
    pub const INTERFACE_MTU: u8 = 26;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const PARAMETER_LIST: u8 = 55;
    pub const MAX_SIZE: u8 = 57;
    pub const RENEWAL: u8 = 58;
    pub const REBINDING: u8 = 59;
    pub const CLIENT_ID: u8 = 61;
    pub const CLASSLESS_ROUTES: u8 = 121;
    pub const END: u8 = 255;
}

/// What a server says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplyKind {
    Offer,
    Ack,
    Nak,
}

/// What a client says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestKind {
    Discover = 1,
    Request = 3,
    Decline = 4,
}

/// A reply that is well-formed and for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub kind: ReplyKind,
    pub xid: u32,
    pub address: Ipv4Addr,
    pub server: Option<Ipv4Addr>,
    pub mask: Option<Ipv4Addr>,
    pub router: Option<Ipv4Addr>,
    pub mtu: Option<u16>,
    pub lease: Option<u32>,
    pub renewal: Option<u32>,
    pub rebinding: Option<u32>,
    /// Destination and gateway; an unspecified gateway stands for the link itself (RFC 3442).
    pub routes: Vec<(Cidr, Ipv4Addr)>,
}

/// Why a message is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Malformed,
    /// For another client.
    Stranger,
}

/// A request to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request<'a> {
    pub kind: RequestKind,
    pub xid: u32,
    /// Since the client began to ask.
    pub elapsed: Duration,
    pub mac: [u8; 6],
    /// Our address, when we can answer for it: RENEWING and REBINDING.
    pub client_address: Ipv4Addr,
    pub requested: Option<Ipv4Addr>,
    pub server: Option<Ipv4Addr>,
    pub host_name: Option<&'a str>,
    pub mtu: u16,
}

impl Reply {
    /// Reads what came to the port of clients.
    pub(crate) fn parse(message: &[u8], mac: [u8; 6]) -> Result<Reply, Fault> {
        let head = message.first_chunk::<HEADER_LEN>().ok_or(Fault::Malformed)?;
        // BOOTREPLY, Ethernet, and the magic cookie (RFC 2131 §3).
        if head[..3] != [2, 1, 6] || head[236..] != COOKIE {
            return Err(Fault::Malformed);
        }
        if head[28..34] != mac {
            return Err(Fault::Stranger);
        }
        let options = Options::collect(message)?;
        let kind = match options.byte(option::MESSAGE_TYPE)? {
            Some(2) => ReplyKind::Offer,
            Some(5) => ReplyKind::Ack,
            Some(6) => ReplyKind::Nak,
            _ => return Err(Fault::Malformed),
        };
        Ok(Reply {
            kind,
            xid: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            address: Ipv4Addr::new(head[16], head[17], head[18], head[19]),
            server: options.word(option::SERVER_ID)?.map(Ipv4Addr::from),
            mask: options.word(option::SUBNET_MASK)?.map(Ipv4Addr::from),
            router: options.first_address(option::ROUTER)?,
            mtu: options.half(option::INTERFACE_MTU)?,
            lease: options.word(option::LEASE_TIME)?,
            renewal: options.word(option::RENEWAL)?,
            rebinding: options.word(option::REBINDING)?,
            routes: routes(&options.value(option::CLASSLESS_ROUTES))?,
        })
    }
}

/// The parts of every option, in the order in which RFC 3396 §5 puts them together.
struct Options<'a> {
    parts: Vec<(u8, &'a [u8])>,
}

impl<'a> Options<'a> {
    fn collect(message: &'a [u8]) -> Result<Options<'a>, Fault> {
        let mut options = Options { parts: Vec::new() };
        options.scan(message.get(HEADER_LEN..).unwrap_or_default())?;
        // RFC 2132 §9.3: the overload option may only stand in the options field itself.
        let overload = options.byte(option::OVERLOAD)?.unwrap_or(0);
        if overload > 3 {
            return Err(Fault::Malformed);
        }
        if overload & 1 != 0 {
            options.scan(message.get(FILE).unwrap_or_default())?;
        }
        if overload & 2 != 0 {
            options.scan(message.get(SNAME).unwrap_or_default())?;
        }
        Ok(options)
    }

    fn scan(&mut self, mut field: &'a [u8]) -> Result<(), Fault> {
        loop {
            match *field {
                [] | [option::END, ..] => return Ok(()),
                [option::PAD, ref rest @ ..] => field = rest,
                [kind, len, ref rest @ ..] => {
                    let (value, behind) = rest.split_at_checked(usize::from(len)).ok_or(Fault::Malformed)?;
                    self.parts.push((kind, value));
                    field = behind;
                }
                [_] => return Err(Fault::Malformed),
            }
        }
    }

    fn value(&self, kind: u8) -> Vec<u8> {
        let parts = self.parts.iter().filter(|(other, _)| *other == kind);
        parts.flat_map(|(_, value)| value.iter().copied()).take(MAX_OPTION + 1).collect()
    }

    /// The value of an option of exactly `N` bytes.
    fn fixed<const N: usize>(&self, kind: u8) -> Result<Option<[u8; N]>, Fault> {
        let value = self.value(kind);
        if value.is_empty() && !self.parts.iter().any(|(other, _)| *other == kind) {
            return Ok(None);
        }
        <[u8; N]>::try_from(value).map(Some).map_err(|_| Fault::Malformed)
    }

    fn byte(&self, kind: u8) -> Result<Option<u8>, Fault> {
        Ok(self.fixed::<1>(kind)?.map(|[byte]| byte))
    }

    fn half(&self, kind: u8) -> Result<Option<u16>, Fault> {
        Ok(self.fixed(kind)?.map(u16::from_be_bytes))
    }

    fn word(&self, kind: u8) -> Result<Option<u32>, Fault> {
        Ok(self.fixed(kind)?.map(u32::from_be_bytes))
    }

    /// RFC 2132 §3.5: addresses in order of preference.
    fn first_address(&self, kind: u8) -> Result<Option<Ipv4Addr>, Fault> {
        let value = self.value(kind);
        if !value.len().is_multiple_of(4) {
            return Err(Fault::Malformed);
        }
        Ok(value.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes)))
    }
}

/// RFC 3442: prefix length, as many bytes of the destination as it needs, gateway.
fn routes(mut value: &[u8]) -> Result<Vec<(Cidr, Ipv4Addr)>, Fault> {
    let mut routes = Vec::new();
    if value.len() > MAX_OPTION {
        return Err(Fault::Malformed);
    }
    while let [bits, rest @ ..] = value {
        let (network, rest) = rest.split_at_checked(usize::from(*bits).div_ceil(8)).ok_or(Fault::Malformed)?;
        let (gateway, rest) = rest.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
        let mut octets = [0; 4];
        octets.get_mut(..network.len()).ok_or(Fault::Malformed)?.copy_from_slice(network);
        let dest = Cidr::new(IpAddr::V4(octets.into()), *bits).ok_or(Fault::Malformed)?;
        if routes.len() < MAX_ROUTES {
            routes.push((dest.network(), Ipv4Addr::from(*gateway)));
        }
        value = rest;
    }
    Ok(routes)
}

impl Request<'_> {
    /// The message, from its first byte to the padding.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER_LEN];
        // BOOTREQUEST, Ethernet, addresses of six bytes.
        out[..3].copy_from_slice(&[1, 1, 6]);
        out[4..8].copy_from_slice(&self.xid.to_be_bytes());
        let secs = u16::try_from(self.elapsed.as_secs()).unwrap_or(u16::MAX);
        out[8..10].copy_from_slice(&secs.to_be_bytes());
        if self.client_address.is_unspecified() {
            // RFC 2131 §4.1: the broadcast bit; without an address of ours, we hear nothing else.
            out[10] = 0x80;
        }
        out[12..16].copy_from_slice(&self.client_address.octets());
        out[28..34].copy_from_slice(&self.mac);
        out[236..240].copy_from_slice(&COOKIE);
        self.options(&mut out);
        out.push(option::END);
        out.resize(out.len().max(MIN_LEN), option::PAD);
        out
    }

    fn options(&self, out: &mut Vec<u8>) {
        push(out, option::MESSAGE_TYPE, &[self.kind as u8]);
        // RFC 2132 §9.14: hardware type and address. The same in every message (RFC 2131 §4.2).
        let [a, b, c, d, e, f] = self.mac;
        push(out, option::CLIENT_ID, &[1, a, b, c, d, e, f]);
        if let Some(address) = self.requested {
            push(out, option::REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            push(out, option::SERVER_ID, &server.octets());
        }
        if self.kind == RequestKind::Decline {
            return;
        }
        // RFC 3442: classless routes before the router option, which they replace.
        let wanted = [
            option::SUBNET_MASK,
            option::CLASSLESS_ROUTES,
            option::ROUTER,
            option::INTERFACE_MTU,
            option::LEASE_TIME,
            option::RENEWAL,
            option::REBINDING,
        ];
        push(out, option::PARAMETER_LIST, &wanted);
        push(out, option::MAX_SIZE, &self.mtu.max(576).to_be_bytes());
        if let Some(name) = self.host_name.filter(|name| !name.is_empty()) {
            push(out, option::HOST_NAME, name.as_bytes());
        }
    }
}

fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = value.get(..usize::from(u8::MAX)).unwrap_or(value);
    out.extend([kind, value.len() as u8]);
    out.extend_from_slice(value);
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
