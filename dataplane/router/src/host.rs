//! Virtual hosts: the names that rules are bound to, and the name that a request asks for.
//!
//! Names are compared without case, port and the dot of the root (RFC 3986 §6.2.2.1, RFC 9110 §4.2.3); IPv6 literals
//! by their address, however they are written.

use std::fmt;
use std::io::Write;
use std::net::Ipv6Addr;

use crate::trie::Table;

/// A host name or address, or a wildcard, in its compared form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum HostPattern {
    /// This name or address.
    Exact(String),
    /// `*.suffix`: every name below it, at any depth, and not the suffix itself. Holds the suffix.
    Below(String),
}

/// The longest name that DNS knows (RFC 1035 §2.3.4), and enough for every address literal.
const MAX_NAME_BYTES: usize = 255;

impl HostPattern {
    /// Reads a pattern as the configuration has it; the error says what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<HostPattern, (String, String)> {
        let wrong = |reason: String, help: &str| Err((reason, help.to_owned()));
        if let Some(suffix) = text.strip_prefix("*.") {
            return match Self::parse(suffix)? {
                HostPattern::Exact(suffix) if !suffix.starts_with('[') => Ok(HostPattern::Below(suffix)),
                _ => wrong(
                    format!("`{text}` is no wildcard host"),
                    "write `*.example.org`: one `*`, at the start, before a name",
                ),
            };
        }
        if text.contains('*') {
            return wrong(
                format!("`*` in `{text}` is not a whole first label"),
                "write `*.example.org` for every name below example.org",
            );
        }
        if text.contains("://") || text.contains('/') {
            return wrong(format!("`{text}` is not a host"), "write the name alone, without scheme and path");
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>() {
            return Ok(HostPattern::Exact(format!("[{address}]")));
        }
        if text.contains(':') {
            return wrong(
                format!("host `{text}` has a port"),
                "leave the port out: rules answer for a host on every port that is served",
            );
        }
        if !text.is_ascii() {
            return wrong(
                format!("host `{text}` has letters outside ASCII"),
                "write the name as clients send it, in its `xn--` form",
            );
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name = name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        });
        if !is_name || name.len() > MAX_NAME_BYTES {
            return wrong(
                format!("`{text}` is not a host name"),
                "labels of letters, digits and hyphens, with dots between them",
            );
        }
        Ok(HostPattern::Exact(name))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// The compared form of the host of a request, on the stack.
pub(crate) struct HostName {
    bytes: [u8; MAX_NAME_BYTES],
    len: usize,
}

impl HostName {
    /// From the value of `Host` or the authority of the target. `None`: it can equal no pattern.
    pub(crate) fn from_authority(authority: &str) -> Option<HostName> {
        let mut name = HostName { bytes: [0; MAX_NAME_BYTES], len: 0 };
        if let Some(literal) = authority.strip_prefix('[') {
            let address: Ipv6Addr = literal.split(']').next()?.parse().ok()?;
            let mut unused = name.bytes.as_mut_slice();
            write!(unused, "[{address}]").ok()?;
            name.len = MAX_NAME_BYTES - unused.len();
            return Some(name);
        }
        let host = authority.split(':').next().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let bytes = name.bytes.get_mut(..host.len())?;
        bytes.copy_from_slice(host.as_bytes());
        bytes.make_ascii_lowercase();
        name.len = host.len();
        Some(name)
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// From host names to the sites that answer for them.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    table: Table,
    /// Labels of the longest wildcard suffix: no longer suffix of a name needs to be looked up.
    max_suffix_labels: usize,
    is_empty: bool,
}

const EXACT: u32 = 0;
const BELOW: u32 = 1;

impl HostTable {
    pub(crate) fn build<'a>(hosts: impl Iterator<Item = (&'a HostPattern, u32)>) -> HostTable {
        let mut max_suffix_labels = 0;
        let entries: Vec<(u32, &[u8], u32)> = hosts
            .map(|(pattern, site)| match pattern {
                HostPattern::Exact(name) => (EXACT, name.as_bytes(), site),
                HostPattern::Below(suffix) => {
                    max_suffix_labels = max_suffix_labels.max(suffix.split('.').count());
                    (BELOW, suffix.as_bytes(), site)
                }
            })
            .collect();
        HostTable { is_empty: entries.is_empty(), table: Table::build(&entries), max_suffix_labels }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The site of the exact name, or else of the longest suffix.
    #[inline]
    pub(crate) fn find(&self, host: Option<&str>) -> Option<u32> {
        if self.is_empty {
            return None;
        }
        let name = HostName::from_authority(host?)?;
        self.table.find(EXACT, name.as_bytes()).or_else(|| self.find_suffix(name.as_bytes()))
    }

    /// The site of the longest suffix below which `name` is. Looks up at most `max_suffix_labels` suffixes.
    pub(crate) fn find_suffix(&self, name: &[u8]) -> Option<u32> {
        let dots = name.iter().rev().filter(|&&b| b == b'.').count();
        let mut suffix = name;
        for labels in (1..=dots).rev() {
            let dot = suffix.iter().position(|&b| b == b'.')?;
            suffix = suffix.get(dot + 1..)?;
            if labels <= self.max_suffix_labels
                && let Some(site) = self.table.find(BELOW, suffix)
            {
                return Some(site);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
