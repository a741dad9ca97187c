//! What a rule's path looks like: segments that are literal, a parameter, or the rest.

use std::fmt;

/// One part of a pattern, between two slashes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Segment {
    /// This text, in the normal form of request paths. Empty only as the last segment: the path ends with a slash.
    Literal(Box<str>),
    /// `:name`: any one segment that is not empty.
    Param(Box<str>),
    /// `*name`: everything from here on, at least one segment, which may be empty. Only as the last segment.
    Rest(Box<str>),
}

impl Segment {
    /// How specific it is; smaller is chosen first.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Param(_) => 1,
            Segment::Rest(_) => 2,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Literal(text) => f.write_str(text),
            Segment::Param(name) => write!(f, ":{name}"),
            Segment::Rest(name) => write!(f, "*{name}"),
        }
    }
}

/// A path pattern. `/` is one empty literal segment; `/a/` is `a` and an empty one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// The parser has checked the segments.
    pub(crate) fn new(segments: Vec<Segment>) -> Pattern {
        Pattern { segments }
    }

    /// Its segments, at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its parameters, in order. `*` without a name has the empty one.
    pub fn param_names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// The place of a parameter among its parameters.
    pub fn param_index(&self, name: &str) -> Option<usize> {
        self.param_names().position(|known| known == name)
    }

    /// Whether it is `/`.
    pub fn is_root(&self) -> bool {
        matches!(self.segments.as_slice(), [Segment::Literal(text)] if text.is_empty())
    }

    /// Whether no segment is a parameter or the rest.
    pub fn is_literal(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// The pattern below a prefix, which has no rest and no slash at its end. The root of a group is its prefix.
    pub(crate) fn below(&self, prefix: &[Segment]) -> Pattern {
        if prefix.is_empty() {
            return self.clone();
        }
        let own: &[Segment] = if self.is_root() { &[] } else { &self.segments };
        Pattern { segments: [prefix, own].concat() }
    }

    /// Whether both match the same paths.
    pub(crate) fn same_shape(&self, other: &Pattern) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(a, b)| match (a, b) {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (a, b) => a.rank() == b.rank(),
            })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}
