//! The lines of a script.

use std::time::Duration;

use crate::segment::Segment;

/// A script: settings, then what happens, then the ledger.
#[derive(Debug, Default)]
pub struct Script {
    /// `config` lines: names and values, in order.
    pub config: Vec<(String, String)>,
    pub steps: Vec<Step>,
    /// The TCP counters that moved, and the drops of the IP layer; `None`: not written yet.
    pub ledger: Option<Vec<(String, u64)>>,
}

/// One line with a time.
#[derive(Debug)]
pub struct Step {
    pub line: usize,
    /// Since the step before.
    pub after: Duration,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    /// A segment arrives, with what is wrong with it.
    Inbound(Segment, Vec<Damage>),
    /// A segment must leave, in a packet with that ECN codepoint, if one is written.
    Outbound(Segment, Option<u8>),
    /// An ICMP error about our segment at a sequence number arrives.
    IcmpError(Icmp, u32),
    Listen(u16),
    Unlisten,
    /// To a port; with so many bytes queued before the SYN leaves, by Fast Open.
    Connect(u16, Option<usize>),
    Accept,
    Send(usize),
    /// As many bytes wait and are consumed.
    Recv(usize),
    /// Nothing waits, and the peer has closed.
    RecvEof,
    Close,
    Abort,
    /// What was reported of the connection since the last time.
    Event(Vec<String>),
    /// Only time passes.
    Nothing,
    /// Another connection with its own numbers: the peer's port and initial sequence number.
    Flow(u16, u32),
}

/// What is wrong with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    BadChecksum,
    /// The data offset field, in 32-bit words.
    DataOffset(u8),
    /// Only so many bytes of the segment are there.
    Truncate(usize),
    /// From this port.
    SourcePort(u16),
    /// In a packet with this ECN codepoint.
    Ecn(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icmp {
    HostUnreachable,
    PortUnreachable,
    FragmentationNeeded(u16),
}

/// Reads a script; the error names the line.
pub fn parse(text: &str) -> Result<Script, String> {
    let mut script = Script::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split("//").next().unwrap_or_default().trim();
        if !line.is_empty() {
            parse_line(&mut script, number, line).map_err(|reason| format!("line {number}: {reason}\n    {line}"))?;
        }
    }
    Ok(script)
}

fn parse_line(script: &mut Script, number: usize, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "config" => script.config.extend(pairs(rest)?.map(|(name, value)| (name.into(), value.into()))),
        "ledger" => {
            let entries = pairs(rest)?.map(|(name, value)| Ok((name.to_string(), parsed(value)?)));
            script.ledger.get_or_insert_default().extend(entries.collect::<Result<Vec<_>, String>>()?);
        }
        _ => {
            let after = word.strip_prefix('+').ok_or("a line begins with +SECONDS, 'config' or 'ledger'")?;
            let after = Duration::from_secs_f64(parsed::<f64>(after)?);
            script.steps.push(Step { line: number, after, action: action(rest.trim())? });
        }
    }
    Ok(())
}

fn pairs(text: &str) -> Result<impl Iterator<Item = (&str, &str)>, String> {
    let pairs: Option<Vec<_>> = text.split_whitespace().map(|word| word.split_once('=')).collect();
    Ok(pairs.ok_or("NAME=VALUE is expected")?.into_iter())
}

fn parsed<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{word}' where a number is expected"))
}

fn action(text: &str) -> Result<Action, String> {
    if let Some(segment) = text.strip_prefix('>') {
        let (segment, rest) = Segment::parse(segment)?;
        return match rest.iter().map(|word| word.split_once('=')).collect::<Vec<_>>()[..] {
            [] => Ok(Action::Outbound(segment, None)),
            [Some(("ecn", name))] => Ok(Action::Outbound(segment, Some(codepoint(name)?))),
            _ => Err(format!("'{}' is too much", rest[0])),
        };
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(segment) = text.strip_prefix('<') {
        if words.get(1) == Some(&"icmp") {
            return icmp(&words[2..]);
        }
        let (segment, rest) = Segment::parse(segment)?;
        let damage = rest.iter().map(|word| damage(word)).collect::<Result<_, _>>()?;
        return Ok(Action::Inbound(segment, damage));
    }
    Ok(match words[..] {
        ["listen", port] => Action::Listen(parsed(port)?),
        ["unlisten"] => Action::Unlisten,
        ["connect", port] => Action::Connect(parsed(port)?, None),
        ["connect", port, "send", bytes] => Action::Connect(parsed(port)?, Some(parsed(bytes)?)),
        ["accept"] => Action::Accept,
        ["send", bytes] => Action::Send(parsed(bytes)?),
        ["recv", "eof"] => Action::RecvEof,
        ["recv", bytes] => Action::Recv(parsed(bytes)?),
        ["close"] => Action::Close,
        ["abort"] => Action::Abort,
        ["event", ref names @ ..] => Action::Event(names.iter().map(ToString::to_string).collect()),
        ["nothing"] => Action::Nothing,
        ["flow", "port", port, "isn", isn] => Action::Flow(parsed(port)?, parsed(isn)?),
        _ => return Err("this is no action".into()),
    })
}

fn damage(word: &str) -> Result<Damage, String> {
    match word.split_once('=') {
        Some(("checksum", "bad")) => Ok(Damage::BadChecksum),
        Some(("offset", words)) => Ok(Damage::DataOffset(parsed(words)?)),
        Some(("truncate", bytes)) => Ok(Damage::Truncate(parsed(bytes)?)),
        Some(("from_port", port)) => Ok(Damage::SourcePort(parsed(port)?)),
        Some(("ecn", name)) => Ok(Damage::Ecn(codepoint(name)?)),
        _ => Err(format!("'{word}' is no damage")),
    }
}

/// RFC 3168 §5.
fn codepoint(name: &str) -> Result<u8, String> {
    match name {
        "none" => Ok(0),
        "ect1" => Ok(1),
        "ect0" => Ok(2),
        "ce" => Ok(3),
        _ => Err(format!("'{name}' is no ECN codepoint")),
    }
}

fn icmp(words: &[&str]) -> Result<Action, String> {
    Ok(match *words {
        ["host_unreachable", "seq", seq] => Action::IcmpError(Icmp::HostUnreachable, parsed(seq)?),
        ["port_unreachable", "seq", seq] => Action::IcmpError(Icmp::PortUnreachable, parsed(seq)?),
        ["frag_needed", "mtu", mtu, "seq", seq] => {
            Action::IcmpError(Icmp::FragmentationNeeded(parsed(mtu)?), parsed(seq)?)
        }
        _ => return Err("this is no ICMP error".into()),
    })
}
