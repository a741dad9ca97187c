//! The language of capture filters: a small part of the one that tcpdump speaks, so that nothing has to be learned.
//!
//! ```text
//! filter   = term *( "and" term )
//! term     = [ "not" ] ( protocol | [ "src" | "dst" ] ( "host" ADDRESS | "net" PREFIX | "port" NUMBER ) )
//! protocol = "arp" | "ip" | "ip6" | "icmp" | "icmp6" | "tcp" | "udp"
//! ```
//!
//! `tcp port 80` is understood as `tcp and port 80`, as there.

use super::packet::{self, Packet};
use crate::Prefix;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The most terms of one filter: it runs for every frame.
const MAX_TERMS: usize = 16;

/// Which frames are wanted. Empty: all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CaptureFilter {
    terms: Vec<Term>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Test {
    Protocol(Protocol),
    Host(End, IpAddr),
    Net(End, Prefix),
    Port(End, u16),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Arp,
    Ipv4,
    Ipv6,
    Icmp,
    Icmpv6,
    Tcp,
    Udp,
}

const PROTOCOLS: [(&str, Protocol); 7] = [
    ("arp", Protocol::Arp),
    ("ip", Protocol::Ipv4),
    ("ip6", Protocol::Ipv6),
    ("icmp", Protocol::Icmp),
    ("icmp6", Protocol::Icmpv6),
    ("tcp", Protocol::Tcp),
    ("udp", Protocol::Udp),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Either,
    Source,
    Destination,
}

/// Why a filter was not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FilterError {
    /// A word that has no place there.
    #[error("`{0}` was not expected; a filter is like `tcp port 80 and not host 192.0.2.1`")]
    Word(String),
    /// The text ends where something must follow.
    #[error("`{0}` needs {1}")]
    Missing(String, &'static str),
    /// A value that cannot be read.
    #[error("`{0}` is not {1}")]
    Value(String, &'static str),
    /// More terms than are tested for every frame.
    #[error("the filter has more than {MAX_TERMS} terms")]
    TooManyTerms,
}

impl CaptureFilter {
    /// Whether every frame fits.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether an Ethernet frame fits. A frame that is cut off before the tested field does not have it. Work is bounded
    /// by the number of terms; nothing is allocated.
    pub fn matches(&self, frame: &[u8]) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        let packet = Packet::parse(frame);
        self.terms.iter().all(|term| term.test.holds(&packet) != term.negated)
    }
}

impl Test {
    fn holds(&self, packet: &Packet) -> bool {
        match *self {
            Test::Protocol(protocol) => protocol.holds(packet),
            Test::Host(end, host) => end.any(packet.source, packet.destination, |address| address == host),
            Test::Net(end, net) => end.any(packet.source, packet.destination, |address| net.contains(address)),
            Test::Port(end, port) => end.any(packet.source_port, packet.destination_port, |number| number == port),
        }
    }
}

impl Protocol {
    fn holds(self, packet: &Packet) -> bool {
        match self {
            Protocol::Arp => packet.is_arp(),
            Protocol::Ipv4 => packet.is_ipv4(),
            Protocol::Ipv6 => packet.is_ipv6(),
            Protocol::Icmp => packet.is_ipv4() && packet.protocol == Some(packet::PROTOCOL_ICMP),
            Protocol::Icmpv6 => packet.is_ipv6() && packet.protocol == Some(packet::PROTOCOL_ICMPV6),
            Protocol::Tcp => packet.protocol == Some(packet::PROTOCOL_TCP),
            Protocol::Udp => packet.protocol == Some(packet::PROTOCOL_UDP),
        }
    }
}

impl End {
    fn any<T>(self, source: Option<T>, destination: Option<T>, fits: impl Fn(T) -> bool) -> bool {
        (self != End::Destination && source.is_some_and(&fits))
            || (self != End::Source && destination.is_some_and(&fits))
    }
}

impl FromStr for CaptureFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<CaptureFilter, FilterError> {
        let mut words = text.split_ascii_whitespace().peekable();
        let mut terms: Vec<Term> = Vec::new();
        while words.peek().is_some() {
            if !terms.is_empty() {
                join(&mut words, terms.last())?;
            }
            if terms.len() == MAX_TERMS {
                return Err(FilterError::TooManyTerms);
            }
            terms.push(Term::parse(&mut words)?);
        }
        Ok(CaptureFilter { terms })
    }
}

/// Takes the "and" between two terms; it may be left out behind a protocol.
fn join<'a>(words: &mut Words<'a, impl Iterator<Item = &'a str>>, before: Option<&Term>) -> Result<(), FilterError> {
    let after_protocol = matches!(before, Some(Term { negated: false, test: Test::Protocol(_) }));
    match words.peek() {
        Some(&("and" | "&&")) => {
            let and = words.next().unwrap_or_default();
            match words.peek() {
                Some(_) => Ok(()),
                None => Err(FilterError::Missing(and.to_owned(), "a condition behind it")),
            }
        }
        Some(&("src" | "dst" | "host" | "net" | "port")) if after_protocol => Ok(()),
        other => Err(FilterError::Word(other.copied().unwrap_or_default().to_owned())),
    }
}

type Words<'a, I> = std::iter::Peekable<I>;

impl Term {
    fn parse<'a>(words: &mut Words<'a, impl Iterator<Item = &'a str>>) -> Result<Term, FilterError> {
        let negated = words.next_if(|word| matches!(*word, "not" | "!")).is_some();
        let end = match words.peek() {
            Some(&"src") => End::Source,
            Some(&"dst") => End::Destination,
            _ => End::Either,
        };
        let mut word = words.next().unwrap_or_default();
        if end != End::Either {
            let Some(next) = words.next() else {
                return Err(FilterError::Missing(word.to_owned(), "`host`, `net` or `port` behind it"));
            };
            word = next;
        } else if let Some(&(_, protocol)) = PROTOCOLS.iter().find(|(name, _)| *name == word) {
            return Ok(Term { negated, test: Test::Protocol(protocol) });
        }
        let test = match word {
            "host" => Test::Host(end, value(word, words.next(), "an address")?),
            "net" => Test::Net(end, value(word, words.next(), "a prefix such as 192.0.2.0/24")?),
            "port" => Test::Port(end, value(word, words.next(), "a port number")?),
            "" => return Err(FilterError::Missing("not".to_owned(), "a condition behind it")),
            _ => return Err(FilterError::Word(word.to_owned())),
        };
        Ok(Term { negated, test })
    }
}

fn value<T: FromStr>(word: &str, text: Option<&str>, kind: &'static str) -> Result<T, FilterError> {
    let text = text.ok_or_else(|| FilterError::Missing(word.to_owned(), kind))?;
    text.parse().map_err(|_| FilterError::Value(text.to_owned(), kind))
}

impl fmt::Display for CaptureFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("not ")?;
        }
        match self.test {
            Test::Protocol(protocol) => {
                let name = PROTOCOLS.iter().find(|(_, known)| *known == protocol).map_or("", |(name, _)| name);
                f.write_str(name)
            }
            Test::Host(end, host) => write!(f, "{}host {host}", end.word()),
            Test::Net(end, net) => write!(f, "{}net {net}", end.word()),
            Test::Port(end, port) => write!(f, "{}port {port}", end.word()),
        }
    }
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Either => "",
            End::Source => "src ",
            End::Destination => "dst ",
        }
    }
}

impl Serialize for CaptureFilter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CaptureFilter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<CaptureFilter, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
