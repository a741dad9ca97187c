//! Completing the transport checksums that the stack leaves to the port ([`TxChecksum::Offload`]), for ports whose
//! device does not.

use netstack::Frame;
use netstack::frame::TxChecksum;
use netstack::ip::checksum::Sum;

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
    let checksum = match Sum::default().add_bytes(&data[start..]).complement() {
        // RFC 768: a computed zero is sent as all ones (the same number in one's complement; TCP may do it too).
        0 => 0xffff,
        checksum => checksum,
    };
    data[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
    frame.tx_checksum = TxChecksum::Complete;
    true
}
