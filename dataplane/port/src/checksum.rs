//! The Internet checksum (RFC 1071), for ports that complete what [`TxChecksum::Offload`] leaves open.

use netstack::Frame;
use netstack::frame::TxChecksum;

/// The one's complement sum of `bytes` on top of `sum`, folded to 16 bits, not inverted.
pub fn sum(sum: u16, bytes: &[u8]) -> u16 {
    let mut total = u64::from(sum);
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        total += u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mut tail = [0; 4];
    for (to, from) in tail.iter_mut().zip(words.remainder()) {
        *to = *from;
    }
    total += u64::from(u32::from_be_bytes(tail));
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Completes the transport checksum that `frame` asks the port for. Returns false, with nothing changed, when the
/// request points outside of the frame.
#[must_use]
pub fn complete(frame: &mut Frame) -> bool {
    let TxChecksum::Offload { start, offset } = frame.tx_checksum else { return true };
    let (start, field) = (usize::from(start), usize::from(start) + usize::from(offset));
    let data = frame.data_mut();
    if field + 2 > data.len() {
        return false;
    }
    // The field holds the pseudo-header's sum, so summing over it includes the pseudo-header.
    let checksum = match !sum(0, &data[start..]) {
        // RFC 768: a computed zero is sent as all ones (the same number in one's complement; TCP may do it too).
        0 => 0xffff,
        checksum => checksum,
    };
    data[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
    frame.tx_checksum = TxChecksum::Complete;
    true
}
