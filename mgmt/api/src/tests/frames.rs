//! Lines however they arrive.

use crate::frame::{FrameError, LineReader};
use std::io::{self, Read};

/// Gives at most `step` bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let some = self.bytes.len().min(self.step).min(target.len());
        let (now, later) = self.bytes.split_at(some);
        target[..some].copy_from_slice(now);
        self.bytes = later;
        Ok(some)
    }
}

fn reader(bytes: &[u8], step: usize, limit: usize) -> LineReader<Trickle<'_>> {
    LineReader::new(Trickle { bytes, step }, limit)
}

#[test]
fn lines_are_found_at_every_split() {
    for step in 1..12 {
        let mut lines = reader(b"one\n\ntwo\nthree", step, 5);
        assert_eq!(lines.read_line().unwrap(), "one");
        assert_eq!(lines.read_line().unwrap(), "");
        assert_eq!(lines.read_line().unwrap(), "two");
        assert!(matches!(lines.read_line(), Err(FrameError::Truncated)), "step {step}");
    }
}

#[test]
fn the_limit_holds_to_the_byte_with_and_without_an_end() {
    for step in [1, 3, 100] {
        assert_eq!(reader(b"12345\n", step, 5).read_line().unwrap(), "12345");
        assert!(matches!(reader(b"123456\n", step, 5).read_line(), Err(FrameError::TooLong(5))));
        assert!(matches!(reader(b"1234567890", step, 5).read_line(), Err(FrameError::TooLong(5))));
    }
}

#[test]
fn memory_is_bounded_by_the_limit() {
    let endless = vec![b'x'; 1 << 20];
    let mut lines = reader(&endless, usize::MAX, 1000);
    assert!(matches!(lines.read_line(), Err(FrameError::TooLong(1000))));
    assert!(lines.into_parts().1.len() <= 1001);
}

#[test]
fn text_must_be_utf8() {
    assert!(matches!(reader(b"\xff\xfe\n", 10, 5).read_line(), Err(FrameError::NotUtf8)));
}

#[test]
fn the_end_between_lines_is_no_fault() {
    let mut lines = reader(b"one\n", 10, 5);
    lines.read_line().unwrap();
    assert!(!lines.has_partial_line());
    assert!(matches!(lines.read_line(), Err(FrameError::Closed)));
}

#[test]
fn what_follows_the_last_line_is_handed_on() {
    let mut lines = reader(b"{}\n\x0a\x0d\x0d\x0a", 100, 50);
    assert_eq!(lines.read_line().unwrap(), "{}");
    assert_eq!(lines.into_parts().1, b"\x0a\x0d\x0d\x0a");
}
