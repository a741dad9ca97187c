//! A router advertisement (RFC 4861 §4.2), checked, and its options one after the other.
//!
//! ```text
//!    0                   1                   2                   3
//!   |  Type = 134   |   Code = 0    |           Checksum            |
//!   | Cur Hop Limit |M|O|H|Prf|Resvd|        Router Lifetime        |
//!   |                        Reachable Time                         |
//!   |                         Retrans Timer                         |
//!   |  Options: source link address, MTU, prefix, route, DNS ...    |
//! ```
//!
//! smoltcp's representation holds one prefix and no route, hence the hand-written one.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use super::routers::RouterPreference;
use crate::ip::Cidr;
use crate::time::Instant;

/// Bytes before the options.
const HEADER_LEN: usize = 16;

mod kind {
    pub const SOURCE_LINK_ADDRESS: u8 = 1;
    pub const PREFIX_INFORMATION: u8 = 3;
    pub const MTU: u8 = 5;
    pub const ROUTE_INFORMATION: u8 = 24;
    pub const DNS_SERVERS: u8 = 25;
    pub const DNS_SEARCH_LIST: u8 = 31;
}

/// The fixed part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Advertisement<'a> {
    /// 0: unspecified.
    pub hop_limit: u8,
    pub preference: RouterPreference,
    /// Zero: no default router.
    pub router_lifetime: Duration,
    /// Zero: unspecified.
    pub reachable_time: Duration,
    /// Zero: unspecified.
    pub retrans_timer: Duration,
    options: &'a [u8],
}

/// A prefix of an advertisement (RFC 4861 §4.6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PrefixInformation {
    pub prefix: Cidr,
    pub on_link: bool,
    pub autonomous: bool,
    pub valid: Lifetime,
    pub preferred: Lifetime,
}

/// A route of an advertisement (RFC 4191 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RouteInformation {
    pub prefix: Cidr,
    pub preference: RouterPreference,
    pub lifetime: Lifetime,
}

/// A lifetime in seconds; all ones stands for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Lifetime(pub u32);

impl Lifetime {
    /// When it ends, if it begins now.
    pub(crate) fn until(self, now: Instant) -> Instant {
        if self.0 == u32::MAX { Instant::FAR_FUTURE } else { now + Duration::from_secs(u64::from(self.0)) }
    }
}

/// One option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RouterOption {
    SourceLinkAddress([u8; 6]),
    Prefix(PrefixInformation),
    Mtu(u32),
    Route(RouteInformation),
    /// Servers or search list: names are not looked up here.
    Dns,
    /// Known, but not as it must be: this option alone is ignored.
    Malformed,
    Unknown,
}

impl<'a> Advertisement<'a> {
    /// Checks what RFC 4861 §6.1.2 demands of the message itself: its length, and that every option has one.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Advertisement<'a>> {
        let head = message.first_chunk::<HEADER_LEN>()?;
        let options = &message[HEADER_LEN..];
        let mut rest = options;
        while !rest.is_empty() {
            let len = usize::from(*rest.get(1)?) * 8;
            rest = rest.get(len..).filter(|_| len > 0)?;
        }
        let millis = |at: usize| Duration::from_millis(u64::from(word(head, at).unwrap_or(0)));
        let preference = RouterPreference::from_bits(head[5] >> 3);
        Some(Advertisement {
            hop_limit: head[4],
            preference,
            router_lifetime: Duration::from_secs(u64::from(u16::from_be_bytes([head[6], head[7]]))),
            reachable_time: millis(8),
            retrans_timer: millis(12),
            options,
        })
    }

    /// The options in their order.
    pub(crate) fn options(&self) -> impl Iterator<Item = RouterOption> + 'a {
        let mut rest = self.options;
        core::iter::from_fn(move || {
            let len = usize::from(*rest.get(1)?) * 8;
            let (option, behind) = rest.split_at_checked(len)?;
            rest = behind;
            Some(parse_option(option).unwrap_or(RouterOption::Malformed))
        })
    }
}

/// `option` is as long as it says, and not empty.
fn parse_option(option: &[u8]) -> Option<RouterOption> {
    Some(match *option.first()? {
        kind::SOURCE_LINK_ADDRESS => {
            let mac = *option.get(2..)?.first_chunk::<6>()?;
            if mac[0] & 1 != 0 || mac == [0; 6] {
                return None;
            }
            RouterOption::SourceLinkAddress(mac)
        }
        kind::PREFIX_INFORMATION if option.len() == 32 => RouterOption::Prefix(PrefixInformation {
            prefix: prefix(option.get(16..)?, option[2])?,
            on_link: option[3] & 0x80 != 0,
            autonomous: option[3] & 0x40 != 0,
            valid: Lifetime(word(option, 4)?),
            preferred: Lifetime(word(option, 8)?),
        }),
        kind::MTU if option.len() == 8 => RouterOption::Mtu(word(option, 4)?),
        kind::ROUTE_INFORMATION => {
            // RFC 4191 §2.3: as long as the prefix needs; a reserved preference voids the option.
            let bits = option[3] >> 3 & 3;
            let needed = usize::from(option[2]).div_ceil(64) * 8 + 8;
            if bits == 2 || option.len() < needed || option.len() > 24 {
                return None;
            }
            RouterOption::Route(RouteInformation {
                prefix: prefix(option.get(8..)?, option[2])?,
                preference: RouterPreference::from_bits(bits),
                lifetime: Lifetime(word(option, 4)?),
            })
        }
        kind::DNS_SERVERS | kind::DNS_SEARCH_LIST => RouterOption::Dns,
        kind::PREFIX_INFORMATION | kind::MTU => return None,
        _ => RouterOption::Unknown,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

/// The prefix of `len` bits at the start of `bytes`, which may be cut short; host bits are cleared.
fn prefix(bytes: &[u8], len: u8) -> Option<Cidr> {
    let mut octets = [0; 16];
    let there = bytes.len().min(16);
    octets[..there].copy_from_slice(&bytes[..there]);
    Cidr::new(IpAddr::V6(Ipv6Addr::from(octets)), len).map(|cidr| cidr.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: &[u8]) -> Vec<u8> {
        [&[134, 0, 0, 0, 64, 0x08, 0x07, 0x08, 0, 0, 0x75, 0x30, 0, 0, 3, 0xe8][..], options].concat()
    }

    #[test]
    fn the_fixed_part() {
        let message = header(&[]);
        let advertisement = Advertisement::parse(&message).unwrap();
        assert_eq!(advertisement.hop_limit, 64);
        assert_eq!(advertisement.preference, RouterPreference::High);
        assert_eq!(advertisement.router_lifetime, Duration::from_secs(1800));
        assert_eq!(advertisement.reachable_time, Duration::from_secs(30));
        assert_eq!(advertisement.retrans_timer, Duration::from_secs(1));
        assert_eq!(advertisement.options().count(), 0);
        assert!(Advertisement::parse(&message[..15]).is_none());
    }

    #[test]
    fn options_in_their_order_and_each_by_itself() {
        let prefix = [&[3, 4, 64, 0xc0, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8][..], &[0; 12]].concat();
        let options = [
            &[1, 1, 2, 0, 0, 0, 0, 9][..],
            &prefix,
            &[5, 1, 0, 0, 0, 0, 5, 0xdc],
            &[24, 1, 0, 8, 0xff, 0xff, 0xff, 0xff],
            &[24, 1, 48, 0, 0, 0, 0, 9],
            &[25, 1, 0, 0, 0, 0, 0, 0],
            &[1, 1, 3, 0, 0, 0, 0, 9],
            &[77, 1, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let message = header(&options);
        let options: Vec<_> = Advertisement::parse(&message).unwrap().options().collect();
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let information = PrefixInformation {
            prefix: cidr("2001:db8::/64"),
            on_link: true,
            autonomous: true,
            valid: Lifetime(9),
            preferred: Lifetime(5),
        };
        let route =
            RouteInformation { prefix: cidr("::/0"), preference: RouterPreference::High, lifetime: Lifetime(u32::MAX) };
        let expected = [
            RouterOption::SourceLinkAddress([2, 0, 0, 0, 0, 9]),
            RouterOption::Prefix(information),
            RouterOption::Mtu(1500),
            RouterOption::Route(route),
            RouterOption::Malformed,
            RouterOption::Dns,
            RouterOption::Malformed,
            RouterOption::Unknown,
        ];
        assert_eq!(options, expected);
        assert_eq!(Lifetime(u32::MAX).until(Instant::ZERO), Instant::FAR_FUTURE);
    }

    #[test]
    fn an_option_without_its_length_voids_the_message() {
        for broken in [&[5, 0, 0, 0, 0, 0, 0, 0][..], &[5, 2, 0, 0, 0, 0, 0, 0], &[5]] {
            assert!(Advertisement::parse(&header(broken)).is_none());
        }
    }
}
