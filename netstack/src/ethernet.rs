//! Ethernet II and one 802.1Q tag.
//!
//! ```text
//!   untagged  | destination 6 | source 6 | ethertype 2 | ...
//!   tagged    | destination 6 | source 6 | 0x8100 | PCP·DEI·VID 2 | ethertype 2 | ...
//! ```

use crate::counters::IpCounter;

/// Ethertypes that the stack knows.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// 802.1Q tag.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// 802.1ad service tag.
    pub const VLAN_SERVICE: u16 = 0x88a8;
}

/// The broadcast address.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// What the header of a received frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthernetHeader {
    /// Bytes before the payload: 14 or 18.
    pub len: usize,
    /// Who sent the frame.
    pub source: [u8; 6],
    /// The destination is a multicast or broadcast address.
    pub group: bool,
    /// What follows.
    pub ethertype: u16,
}

/// Checks the header of a received frame against our MAC address and VLAN.
#[inline]
pub fn parse(data: &[u8], mac: [u8; 6], vlan: Option<u16>) -> Result<EthernetHeader, IpCounter> {
    let (head, rest) = data.split_first_chunk::<14>().ok_or(IpCounter::DropEthernetTruncated)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *head;
    let destination = [d0, d1, d2, d3, d4, d5];
    let source = [s0, s1, s2, s3, s4, s5];
    let group = d0 & 1 != 0;
    if destination != mac && !group {
        return Err(IpCounter::DropEthernetDestination);
    }
    if s0 & 1 != 0 || source == mac {
        return Err(IpCounter::DropEthernetSource);
    }
    let outer = u16::from_be_bytes([t0, t1]);
    if outer != ethertype::VLAN && outer != ethertype::VLAN_SERVICE {
        return match vlan {
            None => Ok(EthernetHeader { len: 14, source, group, ethertype: outer }),
            Some(_) => Err(IpCounter::DropVlanMissing),
        };
    }
    if outer == ethertype::VLAN_SERVICE {
        return Err(IpCounter::DropVlanStacked);
    }
    let [v0, v1, t0, t1] = *rest.first_chunk::<4>().ok_or(IpCounter::DropEthernetTruncated)?;
    // 802.1Q §9.6: identifier 0 is a priority tag, the frame belongs to no VLAN.
    let id = u16::from_be_bytes([v0, v1]) & 0x0fff;
    if id != vlan.unwrap_or(0) {
        return Err(IpCounter::DropVlanOther);
    }
    let inner = u16::from_be_bytes([t0, t1]);
    if inner == ethertype::VLAN || inner == ethertype::VLAN_SERVICE {
        return Err(IpCounter::DropVlanStacked);
    }
    Ok(EthernetHeader { len: 18, source, group, ethertype: inner })
}

/// The header that is put in front of every frame we send, made once.
#[derive(Clone, Debug)]
pub struct EthernetTemplate {
    bytes: [u8; 18],
    len: usize,
}

impl EthernetTemplate {
    /// For frames of `mac`, tagged with `vlan` (priority 0) if there is one.
    pub fn new(mac: [u8; 6], vlan: Option<u16>) -> EthernetTemplate {
        let mut bytes = [0; 18];
        bytes[6..12].copy_from_slice(&mac);
        let len = match vlan {
            None => 14,
            Some(id) => {
                bytes[12..14].copy_from_slice(&ethertype::VLAN.to_be_bytes());
                bytes[14..16].copy_from_slice(&(id & 0x0fff).to_be_bytes());
                18
            }
        };
        EthernetTemplate { bytes, len }
    }

    /// Bytes of the header: 14 or 18.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.len
    }

    /// Writes the header into `out`, which must be of [`EthernetTemplate::header_len`] bytes; a shorter one is left
    /// alone.
    #[inline]
    pub fn write(&self, out: &mut [u8], destination: [u8; 6], ethertype: u16) {
        let kind = ethertype.to_be_bytes();
        if self.len == 14 {
            if let Some(out) = out.first_chunk_mut::<14>() {
                out[..6].copy_from_slice(&destination);
                out[6..12].copy_from_slice(&self.bytes[6..12]);
                out[12..].copy_from_slice(&kind);
            }
        } else if let Some(out) = out.first_chunk_mut::<18>() {
            out[..6].copy_from_slice(&destination);
            out[6..16].copy_from_slice(&self.bytes[6..16]);
            out[16..].copy_from_slice(&kind);
        }
    }
}

/// Sets the destination of a finished frame that waited for it.
pub(crate) fn set_destination(frame: &mut [u8], destination: [u8; 6]) {
    if let Some(out) = frame.first_chunk_mut::<6>() {
        *out = destination;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const PEER: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn frame(destination: [u8; 6], source: [u8; 6], rest: &[u8]) -> Vec<u8> {
        [&destination[..], &source, rest].concat()
    }

    #[test]
    fn every_reason_to_drop() {
        let parse =
            |data: &[u8], vlan| parse(data, MAC, vlan).map(|header| (header.len, header.ethertype, header.group));
        let ip = [8, 0, 0x45];
        assert_eq!(parse(&frame(MAC, PEER, &ip), None), Ok((14, 0x800, false)));
        assert_eq!(parse(&frame(BROADCAST, PEER, &ip), None), Ok((14, 0x800, true)));
        assert_eq!(parse(&frame(MAC, PEER, &ip)[..13], None), Err(IpCounter::DropEthernetTruncated));
        assert_eq!(parse(&frame(PEER, PEER, &ip), None), Err(IpCounter::DropEthernetDestination));
        assert_eq!(parse(&frame(MAC, BROADCAST, &ip), None), Err(IpCounter::DropEthernetSource));
        assert_eq!(parse(&frame(MAC, MAC, &ip), None), Err(IpCounter::DropEthernetSource));
        assert_eq!(parse(&frame(MAC, PEER, &ip), Some(7)), Err(IpCounter::DropVlanMissing));
        let tagged = |id: u8| frame(MAC, PEER, &[0x81, 0, 0x20, id, 8, 0]);
        assert_eq!(parse(&tagged(7), Some(7)), Ok((18, 0x800, false)));
        assert_eq!(parse(&tagged(7)[..17], Some(7)), Err(IpCounter::DropEthernetTruncated));
        assert_eq!(parse(&tagged(8), Some(7)), Err(IpCounter::DropVlanOther));
        assert_eq!(parse(&tagged(8), None), Err(IpCounter::DropVlanOther));
        assert_eq!(parse(&tagged(0), None), Ok((18, 0x800, false)));
        assert_eq!(parse(&frame(MAC, PEER, &[0x88, 0xa8, 0, 7]), Some(7)), Err(IpCounter::DropVlanStacked));
        assert_eq!(parse(&frame(MAC, PEER, &[0x81, 0, 0, 7, 0x81, 0]), Some(7)), Err(IpCounter::DropVlanStacked));
    }

    #[test]
    fn templates() {
        let mut out = [0; 18];
        let plain = EthernetTemplate::new(MAC, None);
        plain.write(&mut out[..14], PEER, ethertype::IPV6);
        assert_eq!(out[..14], frame(PEER, MAC, &[0x86, 0xdd]));
        let tagged = EthernetTemplate::new(MAC, Some(0x123));
        tagged.write(&mut out, PEER, ethertype::IPV4);
        assert_eq!(out[..], frame(PEER, MAC, &[0x81, 0, 1, 0x23, 8, 0]));
        tagged.write(&mut out[..3], MAC, 0);
    }
}
