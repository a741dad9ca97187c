//! A TCP segment as the scripts write it: numbers relative to the initial ones.

use std::fmt;

/// One TCP option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TcpOption {
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    Sack(Vec<(u32, u32)>),
    Timestamps {
        val: u32,
        ecr: u32,
    },
    /// A Fast Open cookie; empty, it asks for one.
    FastOpen(Vec<u8>),
    /// Bytes as they stand, for what a sane peer would not send.
    Raw(Vec<u8>),
}

/// A segment; `seq`, `ack`, SACK edges and timestamps are relative in a script, absolute on the wire.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// The flag byte: FIN is bit 0.
    pub flags: u8,
    pub seq: u32,
    pub length: u32,
    /// Present with the ACK flag.
    pub ack: Option<u32>,
    /// Not compared when absent.
    pub window: Option<u16>,
    /// `None`: any options will do.
    pub options: Option<Vec<TcpOption>>,
    pub urgent: u16,
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;
const FLAGS: [(char, u8); 8] =
    [('S', SYN), ('F', FIN), ('R', RST), ('P', 8), ('E', 64), ('W', 128), ('U', 32), ('.', ACK)];

impl Segment {
    /// Reads `FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<options>]`; returns the words behind it.
    pub fn parse(text: &str) -> Result<(Segment, Vec<String>), String> {
        let (head, options, tail) = split_options(text)?;
        let mut words = head.split_whitespace();
        let mut segment = Segment { flags: parse_flags(words.next().unwrap_or_default())?, ..Segment::default() };
        let range = words.next().ok_or("a range SEQ:END(LEN) is missing")?;
        (segment.seq, segment.length) = parse_range(range)?;
        let mut rest = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "ack" => segment.ack = Some(number(words.next())?),
                "win" => segment.window = Some(number(words.next())?),
                "urg" => segment.urgent = number(words.next())?,
                other => rest.push(other.to_string()),
            }
        }
        rest.extend(tail.split_whitespace().map(str::to_string));
        segment.options = match options {
            Some("*") => None,
            Some(list) => Some(parse_options(list)?),
            None => Some(Vec::new()),
        };
        if segment.ack.is_some() != (segment.flags & ACK != 0) {
            return Err("'.' and 'ack' belong together".into());
        }
        Ok((segment, rest))
    }

    /// True when `self`, as a script expects it, describes `seen`.
    pub fn describes(&self, seen: &Segment) -> bool {
        (self.flags, self.seq, self.length, self.ack) == (seen.flags, seen.seq, seen.length, seen.ack)
            && self.window.is_none_or(|window| seen.window == Some(window))
            && self.options.as_ref().is_none_or(|options| seen.options.as_ref().is_some_and(|seen| same(options, seen)))
    }
}

/// The same options, in whatever order.
fn same(a: &[TcpOption], b: &[TcpOption]) -> bool {
    a.len() == b.len() && a.iter().all(|option| b.contains(option))
}

fn split_options(text: &str) -> Result<(&str, Option<&str>, &str), String> {
    let Some((head, rest)) = text.split_once('<') else { return Ok((text, None, "")) };
    let (options, tail) = rest.split_once('>').ok_or("'>' is missing behind the options")?;
    Ok((head, Some(options.trim()), tail))
}

fn number<T: std::str::FromStr>(word: Option<&str>) -> Result<T, String> {
    let word = word.ok_or("a number is missing")?;
    word.parse().map_err(|_| format!("'{word}' where a number is expected"))
}

fn parse_flags(word: &str) -> Result<u8, String> {
    let mut flags = 0;
    for letter in word.chars().filter(|letter| *letter != '-') {
        let (_, bit) = FLAGS.iter().find(|(name, _)| *name == letter).ok_or(format!("no flag is called '{letter}'"))?;
        flags |= bit;
    }
    if word.is_empty() { Err("flags are missing".into()) } else { Ok(flags) }
}

/// `SEQ:END(LEN)`; END must be SEQ plus LEN.
fn parse_range(word: &str) -> Result<(u32, u32), String> {
    let bad = || format!("'{word}' where SEQ:END(LEN) is expected");
    let (seq, rest) = word.split_once(':').ok_or_else(bad)?;
    let (end, length) = rest.strip_suffix(')').and_then(|rest| rest.split_once('(')).ok_or_else(bad)?;
    let (seq, end, length): (u32, u32, u32) = (number(Some(seq))?, number(Some(end))?, number(Some(length))?);
    if seq.wrapping_add(length) != end {
        return Err(format!("{word}: the end is not the start plus the length"));
    }
    Ok((seq, length))
}

fn parse_options(list: &str) -> Result<Vec<TcpOption>, String> {
    let mut options = Vec::new();
    for option in list.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let words: Vec<&str> = option.split_whitespace().collect();
        options.push(match words[..] {
            ["nop"] => continue,
            ["mss", value] => TcpOption::Mss(number(Some(value))?),
            ["wscale", value] => TcpOption::WindowScale(number(Some(value))?),
            ["sackOK"] => TcpOption::SackPermitted,
            ["sack", ref blocks @ ..] => TcpOption::Sack(blocks.iter().map(|b| block(b)).collect::<Result<_, _>>()?),
            ["TS", "val", val, "ecr", ecr] => {
                TcpOption::Timestamps { val: number(Some(val))?, ecr: number(Some(ecr))? }
            }
            ["FO"] => TcpOption::FastOpen(Vec::new()),
            ["FO", hex] => TcpOption::FastOpen(bytes(hex)?),
            ["raw", hex] => TcpOption::Raw(bytes(hex)?),
            _ => return Err(format!("'{option}' is no option")),
        });
    }
    Ok(options)
}

fn block(text: &str) -> Result<(u32, u32), String> {
    let (from, to) = text.split_once(':').ok_or(format!("'{text}' where FROM:TO is expected"))?;
    Ok((number(Some(from))?, number(Some(to))?))
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or(format!("'{hex}' is not hexadecimal"))?;
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags: String = FLAGS.iter().filter(|(_, bit)| self.flags & bit != 0).map(|(name, _)| *name).collect();
        let flags = if flags.is_empty() { "-" } else { &flags };
        write!(f, "{flags} {}:{}({})", self.seq, self.seq.wrapping_add(self.length), self.length)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        match &self.options {
            None => f.write_str(" <*>"),
            Some(options) if options.is_empty() => Ok(()),
            Some(options) => {
                let options: Vec<_> = options.iter().map(ToString::to_string).collect();
                write!(f, " <{}>", options.join(", "))
            }
        }
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(from, to)| write!(f, " {from}:{to}"))
            }
            TcpOption::Timestamps { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
            TcpOption::FastOpen(cookie) => {
                f.write_str("FO ")?;
                cookie.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            TcpOption::Raw(bytes) => {
                f.write_str("raw ")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}
