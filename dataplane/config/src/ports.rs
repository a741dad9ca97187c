//! The ports: where packets come from, one section a kind.

use std::net::IpAddr;

use serde_json::{Value as Json, json};

use crate::address::{Cidr, MacAddress};
use crate::declare::{keywords, section};
use crate::decode::{Context, Key, KeyInfo, Scalar};
use crate::node::{Node, Value};
use crate::suggest::nearest;

/// One port.
#[derive(Clone, PartialEq, Debug)]
pub enum PortConfig {
    /// Queues of a network interface through AF_XDP sockets.
    AfXdp(AfXdpConfig),
    /// A tap interface that the process creates.
    Tap(TapConfig),
}

impl PortConfig {
    /// The word of `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            PortConfig::AfXdp(_) => "af_xdp",
            PortConfig::Tap(_) => "tap",
        }
    }

    /// The interface that it takes or creates.
    pub fn interface(&self) -> &str {
        match self {
            PortConfig::AfXdp(port) => &port.interface.0,
            PortConfig::Tap(port) => &port.interface.0,
        }
    }

    /// Its addresses.
    pub fn addresses(&self) -> &[Cidr] {
        match self {
            PortConfig::AfXdp(port) => &port.addresses,
            PortConfig::Tap(port) => &port.addresses,
        }
    }

    /// True when it may get addresses that are not in the file.
    pub fn acquires_addresses(&self) -> bool {
        match self {
            // Those of the kernel, whatever they are.
            PortConfig::AfXdp(port) => port.addresses.is_empty(),
            PortConfig::Tap(port) => port.dhcp4 || port.slaac,
        }
    }

    /// Routers that lead out of its networks.
    pub fn gateways(&self) -> &[IpAddr] {
        match self {
            PortConfig::AfXdp(port) => &port.gateways,
            PortConfig::Tap(port) => &port.gateways,
        }
    }
}

section! {
    /// Queues of a network interface through AF_XDP sockets. What is not for AnyGate goes on to the kernel.
    pub struct AfXdpConfig {
        /// The network interface.
        @required pub interface: InterfaceName = InterfaceName::default();
        /// Receive queues, all that the interface has: `auto` takes them as they are; a number or a list from 0 must agree.
        pub queues: Queues = Queues::Auto;
        /// How the XDP program is attached. `auto`: by the driver where it can, else generic.
        pub mode: XdpMode = XdpMode::Auto;
        /// Whether the NIC reads and writes the frames in place. `auto`: where the driver can.
        pub zero_copy: Switch = Switch::Auto;
        /// Frames of each queue, shared by reception and transmission.
        pub frames: u32 = 8192, 64..=1_048_576;
        /// Entries of each of the four rings of a queue (receive, fill, transmit, completion); a power of two.
        pub ring: u32 = 2048, 64..=32_768;
        /// Let the worker drive the NIC's poll loop itself (`SO_PREFER_BUSY_POLL`). `auto`: under `polling: always`.
        pub busy_poll: Switch = Switch::Auto;
        /// Frames in huge pages, when the host has enough left.
        pub hugepages: bool = true;
        /// Addresses of AnyGate on this interface. Empty: those that the kernel has on it.
        pub addresses: Vec<Cidr> = Vec::new();
        /// Routers that lead out of the networks of `addresses`. Of several of one family, the first that answers is used.
        pub gateways: Vec<IpAddr> = Vec::new();
        /// 802.1Q tag of the network.
        pub vlan: Option<u16> = None, 1..=4094;
        /// Answer ARP and neighbour solicitations. `false`: the kernel does, for addresses that it has too.
        pub answer_arp: bool = false;
        /// Answer pings. `false`: the kernel does.
        pub answer_echo: bool = false;
        /// The addresses belong to AnyGate alone: all TCP and UDP to them is taken, not only what goes to ports listened on.
        pub exclusive_addresses: bool = false;
        /// Largest IP packet in bytes. `auto`: that of the interface.
        pub mtu: Mtu = Mtu::Auto;
    }
}

section! {
    /// A tap interface that the process creates, and that is gone with it.
    pub struct TapConfig {
        /// Name of the interface.
        @required pub interface: InterfaceName = InterfaceName::default();
        /// Queues.
        pub queues: u16 = 1, 1..=256;
        /// Frames of each queue.
        pub frames: u32 = 8192, 64..=1_048_576;
        /// Addresses of AnyGate behind this interface; may be empty with `dhcp4` or `slaac`.
        pub addresses: Vec<Cidr> = Vec::new();
        /// Routers that lead out of the networks of `addresses`. Of several of one family, the first that answers is used.
        pub gateways: Vec<IpAddr> = Vec::new();
        /// Lease an IPv4 address, its router, routes and MTU (DHCP, RFC 2131), beside `addresses`.
        pub dhcp4: bool = false;
        /// Make IPv6 addresses of the prefixes that routers advertise, and use these routers (SLAAC, RFC 4862), beside `addresses`.
        pub slaac: bool = false;
        /// With `slaac`: obey the routes that routers advertise, too (RFC 4191).
        pub accept_routes: bool = false;
        /// How the lower half of IPv6 addresses is made: opaque, and the same at each start (RFC 7217), or from the hardware address.
        pub ipv6_address_generation: AddressGeneration = AddressGeneration::StablePrivacy;
        /// Probe IPv6 addresses before they are used (RFC 4862 §5.4): a second or two at each start.
        pub duplicate_address_detection: bool = true;
        /// Probe the IPv4 addresses of `addresses` before they are used (RFC 5227): about seven seconds at each start. Leased ones are always probed.
        pub probe_ipv4: bool = false;
        /// AnyGate's own hardware address. `off`: one beside that of the kernel's end.
        pub mac: Option<MacAddress> = None;
        /// Addresses that the kernel gets on its end.
        pub host_addresses: Vec<Cidr> = Vec::new();
        /// Largest IP packet in bytes.
        pub mtu: u16 = 1500, 576..=9216;
        /// Set the interface up.
        pub up: bool = true;
        /// 802.1Q tag of the network.
        pub vlan: Option<u16> = None, 1..=4094;
        /// Answer ARP and neighbour solicitations.
        pub answer_arp: bool = true;
        /// Answer pings.
        pub answer_echo: bool = true;
    }
}

keywords! {
    /// On, off, or what the machine can do.
    pub enum Switch {
        /// What the machine can do.
        #[default]
        Auto = "auto",
        /// On, or an error.
        On = "on" | "true",
        /// Off.
        Off = "off" | "false",
    }
}

keywords! {
    /// How interface identifiers are made.
    pub enum AddressGeneration {
        /// Opaque, and the same for one network at each start.
        #[default]
        StablePrivacy = "stable-privacy",
        /// From the hardware address.
        Eui64 = "eui64",
    }
}

keywords! {
    /// How an XDP program is attached.
    pub enum XdpMode {
        /// By the driver where it can, else generic.
        #[default]
        Auto = "auto",
        /// By the driver, or an error.
        Native = "native",
        /// By the kernel's generic hook, for any interface.
        Generic = "generic",
    }
}

/// The receive queues of an interface to serve.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Queues {
    /// All that the interface has.
    #[default]
    Auto,
    /// The first so many.
    First(u16),
    /// These, by number: `0, 1, …` without gaps.
    List(Vec<u16>),
}

impl Key for Queues {
    fn decode(node: &Node, cx: &mut Context) -> Option<Queues> {
        if let (Value::List(_), _) | (_, true) = (&node.value, node.as_str().is_some_and(|text| text.contains(','))) {
            let list = Vec::<u16>::decode(node, cx)?;
            if list.is_empty() {
                cx.error(node, format!("{} names no queue", cx.name()));
                return None;
            }
            if !(0u16..).zip(&list).all(|(number, &listed)| number == listed) {
                let wrong =
                    node.error(format!("{} must name the queues from 0 on, in order and without gaps", cx.name()));
                cx.found.push(
                    wrong.help("write how many, as `queues: 2`, and let the NIC spread over those: ethtool -L or -X"),
                );
                return None;
            }
            return Some(Queues::List(list));
        }
        match node.as_str() {
            Some("auto") => Some(Queues::Auto),
            Some(text) if text.parse::<u16>().is_ok_and(|count| (1..=1024).contains(&count)) => {
                text.parse().ok().map(Queues::First)
            }
            _ => {
                cx.error(
                    node,
                    format!(
                        "{} must be `auto`, a number from 1 to 1024 or a list of queues, not {}",
                        cx.name(),
                        node.describe()
                    ),
                );
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [
            { "const": "auto" },
            { "type": "integer", "minimum": 1, "maximum": 1024 },
            { "type": "array", "items": u16::schema(), "minItems": 1, "uniqueItems": true },
        ] })
    }

    fn type_name() -> String {
        "`auto`, number or list of numbers".to_owned()
    }

    fn show(&self) -> Json {
        match self {
            Queues::Auto => "auto".into(),
            Queues::First(count) => (*count).into(),
            Queues::List(list) => list.iter().copied().collect(),
        }
    }
}

/// Largest IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mtu {
    /// That of the interface.
    #[default]
    Auto,
    /// In bytes.
    Bytes(u16),
}

impl Scalar for Mtu {
    const EXPECTED: &'static str = "`auto` or a number of bytes from 576 to 9216";

    fn parse(text: &str) -> Result<Mtu, Option<String>> {
        match text.parse() {
            _ if text == "auto" => Ok(Mtu::Auto),
            Ok(bytes @ 576..=9216) => Ok(Mtu::Bytes(bytes)),
            _ => Err(None),
        }
    }

    fn scalar_schema() -> Json {
        json!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 576, "maximum": 9216 }] })
    }

    fn scalar_show(&self) -> Json {
        match self {
            Mtu::Auto => "auto".into(),
            Mtu::Bytes(bytes) => (*bytes).into(),
        }
    }

    fn scalar_name() -> String {
        "`auto` or number of bytes".to_owned()
    }
}

/// The name of a network interface.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct InterfaceName(pub String);

impl Scalar for InterfaceName {
    const EXPECTED: &'static str = "the name of a network interface (1 to 15 characters, no space, `/` or `:`)";

    fn parse(text: &str) -> Result<InterfaceName, Option<String>> {
        // The kernel's dev_valid_name(): shorter than IFNAMSIZ, not a directory entry, no separator.
        let fits = (1..=15).contains(&text.len()) && text != "." && text != "..";
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':' | '%');
        if fits && text.chars().all(allowed) { Ok(InterfaceName(text.to_owned())) } else { Err(None) }
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string", "pattern": "^[^ /:%]{1,15}$" })
    }

    fn scalar_show(&self) -> Json {
        self.0.as_str().into()
    }

    fn scalar_name() -> String {
        "interface".to_owned()
    }
}

/// Kinds that can be served, and kinds that other builds or versions serve.
const KINDS: [&str; 2] = ["af_xdp", "tap"];
const KINDS_ELSEWHERE: [&str; 2] = ["dpdk", "kernel"];

impl Key for PortConfig {
    fn decode(node: &Node, cx: &mut Context) -> Option<PortConfig> {
        let entries = cx.mapping(node)?;
        let Some(kind) = entries.iter().find(|entry| entry.key.as_str() == Some("kind")) else {
            cx.found.push(node.error(format!("{} lacks `kind`", cx.name())).help("give `kind: af_xdp` or `kind: tap`"));
            return None;
        };
        let rest = Node {
            value: Value::Map(entries.iter().filter(|entry| !std::ptr::eq(*entry, kind)).cloned().collect()),
            ..node.clone()
        };
        match kind.value.as_str() {
            Some("af_xdp") => AfXdpConfig::decode(&rest, cx).map(PortConfig::AfXdp),
            Some("tap") => TapConfig::decode(&rest, cx).map(PortConfig::Tap),
            Some(word) if KINDS_ELSEWHERE.contains(&word) => {
                cx.found.push(
                    kind.value.error(format!("this build has no port kind `{word}`")).help("choose `af_xdp` or `tap`"),
                );
                None
            }
            word => {
                let guess = word.and_then(|word| nearest(word, KINDS));
                let wrong = kind.value.error(format!("there is no port kind {}", kind.value.describe()));
                cx.found.push(wrong.help(
                    guess.map_or_else(
                        || "choose `af_xdp` or `tap`".to_owned(),
                        |word| format!("did you mean `{word}`?"),
                    ),
                ));
                None
            }
        }
    }

    fn schema() -> Json {
        let with_kind = |mut schema: Json, kind: &str| {
            schema["properties"]["kind"] = json!({ "const": kind });
            if let Some(Json::Array(required)) = schema.get_mut("required") {
                required.insert(0, "kind".into());
            }
            schema
        };
        json!({ "anyOf": [with_kind(AfXdpConfig::schema(), "af_xdp"), with_kind(TapConfig::schema(), "tap")] })
    }

    fn type_name() -> String {
        "section".to_owned()
    }

    fn show(&self) -> Json {
        match self {
            PortConfig::AfXdp(port) => port.show(),
            PortConfig::Tap(port) => port.show(),
        }
    }
}

/// The rows of the reference table for each kind.
pub(crate) fn kinds() -> Vec<(&'static str, Vec<KeyInfo>)> {
    let (mut af_xdp, mut tap) = (Vec::new(), Vec::new());
    AfXdpConfig::keys("ports[]", &mut af_xdp);
    TapConfig::keys("ports[]", &mut tap);
    vec![("af_xdp", af_xdp), ("tap", tap)]
}
