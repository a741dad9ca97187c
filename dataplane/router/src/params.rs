//! What a lookup finds out about a path besides the rule: its normal form and the values of the parameters.

use crate::MAX_PARAMS;
use crate::path::{self, PathRefusal};

/// Storage for the outcome of one lookup, owned by a worker and used again for each request.
///
/// Values are ranges into the normalised path and therefore still escaped: they hold only characters that a segment
/// may hold and `%XX`; the value of a `*rest` also holds slashes.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// The normal form of the path, when it differs from the path as it came. Grows to the longest such path seen.
    normalized: String,
    is_normalized: bool,
    len: u8,
    /// Start and end of each value.
    ranges: [(u16, u16); MAX_PARAMS],
}

impl Params {
    /// Empty storage.
    pub fn new() -> Params {
        Params::default()
    }

    /// The normalised path of the last lookup; `raw` is the path that was looked up.
    #[inline]
    pub fn path<'a>(&'a self, raw: &'a str) -> &'a str {
        if self.is_normalized { &self.normalized } else { raw }
    }

    /// The value of the parameter at `index` in the pattern of the rule that was found; `raw` is the path that was
    /// looked up.
    #[inline]
    pub fn value<'a>(&'a self, raw: &'a str, index: usize) -> Option<&'a str> {
        let &(start, end) = self.ranges.get(..usize::from(self.len))?.get(index)?;
        self.path(raw).get(usize::from(start)..usize::from(end))
    }

    /// The values in order of the pattern's parameters.
    pub fn values<'a>(&'a self, raw: &'a str) -> impl Iterator<Item = &'a str> {
        (0..self.len()).filter_map(move |index| self.value(raw, index))
    }

    /// How many parameters have a value.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether no parameter has a value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the last lookup.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.is_normalized = false;
    }

    /// Forgets the last lookup and takes the normal form of `raw`.
    #[inline]
    pub(crate) fn begin(&mut self, raw: &str) -> Result<(), PathRefusal> {
        self.clear();
        if path::is_plainly_normal(raw) {
            return Ok(());
        }
        self.is_normalized = true;
        path::normalize(raw, &mut self.normalized).inspect_err(|_| self.normalized.clear())
    }

    /// Takes the normal form out, so that values can be stored while the path is read; `give_back` returns it.
    #[inline]
    pub(crate) fn take_normalized(&mut self) -> Option<String> {
        self.is_normalized.then(|| std::mem::take(&mut self.normalized))
    }

    #[inline]
    pub(crate) fn give_back(&mut self, normalized: Option<String>) {
        if let Some(normalized) = normalized {
            self.normalized = normalized;
        }
    }

    /// Stores a value. The compiler admits no pattern with more than [`MAX_PARAMS`] parameters, and no path is longer
    /// than [`crate::MAX_PATH_BYTES`], so neither the index nor the offsets can be out of range.
    #[inline]
    pub(crate) fn push(&mut self, start: usize, end: usize) {
        if let Some(range) = self.ranges.get_mut(usize::from(self.len)) {
            *range = (start as u16, end as u16);
            self.len += 1;
        }
    }

    /// Drops the values behind the first `len`.
    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len as u8);
    }
}

const _: () = assert!(crate::MAX_PATH_BYTES <= u16::MAX as usize && MAX_PARAMS <= u8::MAX as usize);
