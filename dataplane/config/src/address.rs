//! Addresses of the network: IP, network prefix, listening address, hardware address.

use std::fmt;
use std::net::IpAddr;

use serde_json::{Value as Json, json};

use crate::decode::Scalar;
use crate::node::Kind;

impl Scalar for IpAddr {
    const EXPECTED: &'static str = "an IP address such as `10.77.0.1` or `fd00::1`";

    fn parse(text: &str) -> Result<IpAddr, Option<String>> {
        let mistaken_prefix = || text.contains('/').then(|| "leave out the prefix length".to_owned());
        text.parse().map_err(|_| mistaken_prefix())
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string" })
    }

    fn scalar_show(&self) -> Json {
        self.to_string().into()
    }

    fn scalar_name() -> String {
        "IP address".to_owned()
    }
}

/// An address with the length of its network prefix: `10.77.0.2/24`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cidr {
    /// The address.
    pub address: IpAddr,
    /// Bits of the address that name the network.
    pub prefix_len: u8,
}

impl Cidr {
    /// Whether `other` is in the same network.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_len.min(32))).unwrap_or(0);
                u32::from(a) & mask == u32::from(b) & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_len.min(128))).unwrap_or(0);
                u128::from(a) & mask == u128::from(b) & mask
            }
            _ => false,
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl Scalar for Cidr {
    const EXPECTED: &'static str = "an address with its prefix length such as `10.77.0.2/24` or `fd00::2/64`";

    fn parse(text: &str) -> Result<Cidr, Option<String>> {
        let Some((address, length)) = text.split_once('/') else {
            // What other tools take among addresses.
            match text.to_ascii_lowercase().as_str() {
                "dhcp" | "dhcp4" => return Err(Some("write `dhcp4: true` beside `addresses`".to_owned())),
                "slaac" | "auto" | "ra" => return Err(Some("write `slaac: true` beside `addresses`".to_owned())),
                _ => {}
            }
            let bits = text.parse::<IpAddr>().ok().map(|address| if address.is_ipv4() { 24 } else { 64 });
            return Err(bits.map(|bits| format!("add the prefix length of its network: `{text}/{bits}`")));
        };
        let address: IpAddr = address.parse().map_err(|_| None)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let wrong_length = || Some(format!("the prefix length is a number up to {most}"));
        let prefix_len = length.parse().ok().filter(|&length: &u8| length <= most).ok_or_else(wrong_length)?;
        Ok(Cidr { address, prefix_len })
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F:.]+/[0-9]{1,3}$" })
    }

    fn scalar_show(&self) -> Json {
        self.to_string().into()
    }

    fn scalar_name() -> String {
        "address/prefix".to_owned()
    }
}

/// Where to accept connections: `:80`, `0.0.0.0:80`, `[::]:80`, `10.77.0.2:80`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenAddress {
    /// The local address; `None`: any address, IPv4 and IPv6 (`:80`). `0.0.0.0` and `::` stand for any address of
    /// their family.
    pub address: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
}

impl ListenAddress {
    /// Whether a connection to `local` at this port would be accepted.
    pub fn covers(&self, local: IpAddr) -> bool {
        match self.address {
            None => true,
            Some(own) if own.is_unspecified() => own.is_ipv4() == local.is_ipv4(),
            Some(own) => own == local,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            None => write!(f, ":{}", self.port),
            Some(address) => std::net::SocketAddr::new(address, self.port).fmt(f),
        }
    }
}

impl Scalar for ListenAddress {
    const EXPECTED: &'static str = "an address and port such as `:80`, `10.77.0.2:80` or `[::]:80`";

    fn parse(text: &str) -> Result<ListenAddress, Option<String>> {
        let port = |digits: &str| match digits.parse::<u16>() {
            Ok(0) | Err(_) => Err(Some("a port is a number from 1 to 65535".to_owned())),
            Ok(port) => Ok(port),
        };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Some(format!("write `:{text}` to listen on every address")));
        }
        let (address, digits) = text.rsplit_once(':').ok_or_else(|| Some(format!("add a port: `{text}:80`")))?;
        if address.is_empty() || address == "*" {
            return Ok(ListenAddress { address: None, port: port(digits)? });
        }
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Err(Some("put an IPv6 address in brackets: `[fd00::1]:80`".to_owned()));
        }
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        let parsed: IpAddr =
            bare.parse().map_err(|_| Some("names are not looked up here: give the address itself".to_owned()))?;
        if parsed.is_ipv6() && bare == address {
            return Err(Some(format!("put an IPv6 address in brackets: `[{bare}]:{digits}`")));
        }
        Ok(ListenAddress { address: Some(parsed), port: port(digits)? })
    }

    fn accepts(kind: Kind) -> bool {
        kind != Kind::Bool
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^.*:[0-9]{1,5}$" })
    }

    fn scalar_show(&self) -> Json {
        self.to_string().into()
    }

    fn scalar_name() -> String {
        "address:port".to_owned()
    }
}

/// The hardware address of an interface: `02:00:00:00:00:01`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Scalar for MacAddress {
    const EXPECTED: &'static str = "a hardware address such as `02:00:00:00:00:01`";

    fn parse(text: &str) -> Result<MacAddress, Option<String>> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .ok_or(None)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| None)?;
        }
        match parts.next() {
            Some(_) => Err(None),
            None if bytes[0] & 1 == 1 => Err(Some("this is a group address: the first byte must be even".to_owned())),
            None => Ok(MacAddress(bytes)),
        }
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$" })
    }

    fn scalar_show(&self) -> Json {
        self.to_string().into()
    }

    fn scalar_name() -> String {
        "hardware address".to_owned()
    }
}
