//! Interface identifiers: the lower half of an IPv6 address.

use core::hash::Hasher;
use core::net::{IpAddr, Ipv6Addr};

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::config::link_local;
use crate::ip::Cidr;

/// How interface identifiers are made.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Identifiers {
    /// From the MAC address (modified EUI-64, RFC 4291 appendix A).
    #[default]
    Eui64,
    /// Opaque: the same for one prefix, interface and secret, and unrelated between prefixes (RFC 7217). Keep the secret
    /// between starts, or the addresses change with it.
    Stable {
        /// Known to nobody else.
        secret: [u8; 16],
    },
}

impl core::fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Identifiers::Eui64 => "Eui64",
            Identifiers::Stable { .. } => "Stable(..)",
        })
    }
}

impl Identifiers {
    /// The address of the interface `mac` in `prefix`, which must be of 64 bits; `dad_counter` says how many before it
    /// were somebody else's. An EUI-64 has no second try.
    pub(crate) fn address(&self, prefix: Cidr, mac: [u8; 6], dad_counter: u8) -> Option<Ipv6Addr> {
        let IpAddr::V6(network) = prefix.network().address() else { return None };
        // RFC 4862 §5.5.3 (d): prefix and identifier must fill the address; identifiers on Ethernet have 64 bits.
        if prefix.prefix_len() != 64 {
            return None;
        }
        let identifier = match self {
            Identifiers::Eui64 if dad_counter > 0 => return None,
            Identifiers::Eui64 => u128::from(link_local(mac)) as u64,
            Identifiers::Stable { secret } => stable(secret, network, mac, dad_counter),
        };
        Some(Ipv6Addr::from(u128::from(network) | u128::from(identifier)))
    }
}

/// RFC 7217 §5: F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key) with SipHash-2-4 as the keyed pseudo-random
/// function; the interface is told by its MAC address, and there is no network identifier.
fn stable(secret: &[u8; 16], prefix: Ipv6Addr, mac: [u8; 6], dad_counter: u8) -> u64 {
    let mut counter = u16::from(dad_counter);
    loop {
        let mut hasher = SipHasher24::new_with_key(secret);
        hasher.write(&prefix.octets()[..8]);
        hasher.write(&mac);
        hasher.write(&counter.to_be_bytes());
        let identifier = hasher.finish128().h1;
        if !is_reserved(identifier) {
            return identifier;
        }
        // One in 2⁵⁰: another number, beyond those of the counter.
        counter = counter.wrapping_add(0x100);
    }
}

/// RFC 5453 §3: the subnet-router anycast address, the identifiers of the IANA's block, and the anycast range.
fn is_reserved(identifier: u64) -> bool {
    identifier == 0
        || (0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff).contains(&identifier)
        || identifier >= 0xfdff_ffff_ffff_ff80
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    #[test]
    fn stable_identifiers_differ_by_everything_that_goes_in() {
        let prefix = |text: &str| text.parse::<Cidr>().unwrap();
        let make = |secret: u8, net: &str, mac, tries| {
            Identifiers::Stable { secret: [secret; 16] }.address(prefix(net), mac, tries).unwrap()
        };
        let first = make(1, "2001:db8:1::/64", MAC, 0);
        assert_eq!(first, make(1, "2001:db8:1::9/64", MAC, 0), "the same every time");
        assert!(prefix("2001:db8:1::/64").contains(first.into()));
        let others = [
            make(2, "2001:db8:1::/64", MAC, 0),
            make(1, "2001:db8:2::/64", MAC, 0),
            make(1, "2001:db8:1::/64", [2, 0, 0, 0, 0, 2], 0),
            make(1, "2001:db8:1::/64", MAC, 1),
        ];
        let lower = |address: Ipv6Addr| u128::from(address) as u64;
        assert!(others.iter().all(|other| lower(*other) != lower(first)));
    }

    #[test]
    fn eui64_has_one_try_and_prefixes_have_64_bits() {
        let prefix: Cidr = "2001:db8::/64".parse().unwrap();
        let own = Identifiers::Eui64.address(prefix, MAC, 0).unwrap();
        assert_eq!(own.to_string(), "2001:db8::ff:fe00:1");
        assert_eq!(Identifiers::Eui64.address(prefix, MAC, 1), None);
        for other in ["2001:db8::/63", "2001:db8::/65", "10.0.0.0/24"] {
            assert_eq!(Identifiers::Eui64.address(other.parse().unwrap(), MAC, 0), None);
        }
        assert!(is_reserved(0) && is_reserved(0x0200_5eff_fe00_5212) && is_reserved(u64::MAX) && !is_reserved(1));
    }
}
