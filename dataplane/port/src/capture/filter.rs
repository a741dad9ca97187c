//! Which packets a capture keeps: a small part of tcpdump's language.
//!
//! ```text
//!   expression = term { "or" term }            term = factor { "and" factor }
//!   factor     = "not" factor | "(" expression ")" | primitive
//!   primitive  = [ "src" | "dst" ] "host" ADDRESS | [ "src" | "dst" ] "net" ADDRESS/LENGTH
//!              | [ "src" | "dst" ] "port" NUMBER | "ip" | "ip6" | "arp" | "tcp" | "udp" | "icmp" | "icmp6"
//! ```

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use netstack::ip::protocol;

use crate::headers::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Headers};

/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 32;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Option<Node>,
}

/// Why an expression is no filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterError {
    /// What was wrong, and what is possible.
    pub reason: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a capture filter: {} (example: tcp and host 10.0.0.1 and port 80)", self.reason)
    }
}

impl std::error::Error for FilterError {}

#[derive(Clone, Debug)]
enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Net(End, IpAddr, u32),
    Port(End, u16),
    Ethertype(u16),
    Protocol(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Either,
    Source,
    Destination,
}

impl Filter {
    /// Every packet.
    pub fn all() -> Filter {
        Filter { root: None }
    }

    /// True when the filter keeps this Ethernet frame.
    pub fn matches(&self, frame: &[u8]) -> bool {
        let Some(root) = &self.root else { return true };
        Headers::parse(frame).is_some_and(|headers| root.matches(&headers))
    }
}

impl Node {
    fn matches(&self, headers: &Headers) -> bool {
        let ip = || headers.ip.as_ref();
        match self {
            Node::And(a, b) => a.matches(headers) && b.matches(headers),
            Node::Or(a, b) => a.matches(headers) || b.matches(headers),
            Node::Not(node) => !node.matches(headers),
            Node::Net(end, net, prefix) => {
                ip().is_some_and(|ip| end.test(ip.source, ip.destination, |address| in_net(address, *net, *prefix)))
            }
            Node::Port(end, port) => {
                ip().and_then(|ip| ip.ports).is_some_and(|(from, to)| end.test(from, to, |p| p == *port))
            }
            Node::Ethertype(ethertype) => headers.ethertype == *ethertype,
            Node::Protocol(protocol) => ip().is_some_and(|ip| ip.protocol == *protocol),
        }
    }
}

impl End {
    fn test<T>(self, source: T, destination: T, matches: impl Fn(T) -> bool) -> bool {
        match self {
            End::Either => matches(source) || matches(destination),
            End::Source => matches(source),
            End::Destination => matches(destination),
        }
    }
}

fn in_net(address: IpAddr, net: IpAddr, prefix: u32) -> bool {
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (a.to_bits() ^ n.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0,
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0,
        _ => false,
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// An empty text is the filter that keeps everything.
    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut parser = Parser { words: spaced.split_whitespace().peekable() };
        if parser.words.peek().is_none() {
            return Ok(Filter::all());
        }
        let root = parser.expression(0)?;
        match parser.words.next() {
            Some(word) => Err(FilterError { reason: format!("'{word}' where 'and' or 'or' could follow") }),
            None => Ok(Filter { root: Some(root) }),
        }
    }
}

struct Parser<'a> {
    words: core::iter::Peekable<core::str::SplitWhitespace<'a>>,
}

impl<'a> Parser<'a> {
    fn accept(&mut self, word: &str) -> bool {
        self.words.next_if(|next| *next == word).is_some()
    }

    fn word(&mut self, expected: &str) -> Result<&'a str, FilterError> {
        self.words.next().ok_or_else(|| FilterError { reason: format!("it ends where {expected} is missing") })
    }

    fn expression(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut node = self.term(depth)?;
        while self.accept("or") {
            node = Node::Or(Box::new(node), Box::new(self.term(depth)?));
        }
        Ok(node)
    }

    fn term(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut node = self.factor(depth)?;
        while self.accept("and") {
            node = Node::And(Box::new(node), Box::new(self.factor(depth)?));
        }
        Ok(node)
    }

    fn factor(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth > MAX_DEPTH {
            return Err(FilterError { reason: "it is nested too deeply".into() });
        }
        if self.accept("not") {
            return Ok(Node::Not(Box::new(self.factor(depth + 1)?)));
        }
        if self.accept("(") {
            let node = self.expression(depth + 1)?;
            return match self.accept(")") {
                true => Ok(node),
                false => Err(FilterError { reason: "a ')' is missing".into() }),
            };
        }
        self.primitive()
    }

    fn primitive(&mut self) -> Result<Node, FilterError> {
        let end = match self.words.peek() {
            Some(&"src") => End::Source,
            Some(&"dst") => End::Destination,
            _ => End::Either,
        };
        if end != End::Either {
            self.words.next();
        }
        match self.word("a condition")? {
            "host" => {
                let address: IpAddr = self.parsed("an address")?;
                let bits = if address.is_ipv4() { 32 } else { 128 };
                Ok(Node::Net(end, address, bits))
            }
            "net" => self.net(end),
            "port" => Ok(Node::Port(end, self.parsed("a port number")?)),
            word if end != End::Either => {
                Err(FilterError { reason: format!("'{word}' where 'host', 'net' or 'port' is expected") })
            }
            "ip" => Ok(Node::Ethertype(ETHERTYPE_IPV4)),
            "ip6" => Ok(Node::Ethertype(ETHERTYPE_IPV6)),
            "arp" => Ok(Node::Ethertype(ETHERTYPE_ARP)),
            "tcp" => Ok(Node::Protocol(protocol::TCP)),
            "udp" => Ok(Node::Protocol(protocol::UDP)),
            "icmp" => Ok(Node::Protocol(protocol::ICMP)),
            "icmp6" => Ok(Node::Protocol(protocol::ICMPV6)),
            word => Err(FilterError { reason: format!("'{word}' is unknown") }),
        }
    }

    fn net(&mut self, end: End) -> Result<Node, FilterError> {
        let word = self.word("a network")?;
        let bad = || FilterError { reason: format!("'{word}' where a network as 10.0.0.0/8 is expected") };
        let (address, prefix) = word.split_once('/').ok_or_else(bad)?;
        let (address, prefix): (IpAddr, u32) =
            (address.parse().map_err(|_| bad())?, prefix.parse().map_err(|_| bad())?);
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits { Err(bad()) } else { Ok(Node::Net(end, address, prefix)) }
    }

    fn parsed<T: FromStr>(&mut self, expected: &str) -> Result<T, FilterError> {
        let word = self.word(expected)?;
        word.parse().map_err(|_| FilterError { reason: format!("'{word}' where {expected} is expected") })
    }
}
