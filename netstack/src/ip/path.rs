//! What a connection remembers of the way to its peer, so that a send in steady state looks nothing up.

use super::IpMeta;

/// How far the next hop is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(crate) enum PathKind {
    /// Nothing yet: the next send looks up route and neighbour.
    #[default]
    Unresolved,
    /// The MAC address that a frame of the peer came from; not yet compared with the neighbour table.
    IngressFresh,
    /// As before, compared: the table had nothing better.
    Ingress,
    /// An entry of the neighbour table, by index and generation.
    Neighbor,
}

/// The resolved next hop of one peer; 16 bytes to keep in a control block.
///
/// It is a hint: when the neighbour entry behind it is gone or the routes changed, the next send resolves anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PathCache {
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) mac: [u8; 6],
    pub(crate) kind: PathKind,
}

const _: () = assert!(size_of::<PathCache>() <= 16);

impl PathCache {
    /// A path back to where a packet came from.
    #[inline]
    pub fn from_ingress(meta: &IpMeta) -> PathCache {
        PathCache { mac: meta.ingress_mac, kind: PathKind::IngressFresh, ..PathCache::default() }
    }

    /// A path for one answer to a packet whose source may be forged: straight back, without asking or learning who
    /// lives there.
    #[inline]
    pub(crate) fn straight_back(meta: &IpMeta) -> PathCache {
        PathCache { mac: meta.ingress_mac, kind: PathKind::Ingress, ..PathCache::default() }
    }

    /// The peer was heard again: a path that follows the ingress MAC address follows it to a new one.
    #[inline]
    pub fn note_ingress(&mut self, meta: &IpMeta) {
        if self.kind != PathKind::Neighbor {
            self.mac = meta.ingress_mac;
            if self.kind == PathKind::Unresolved {
                self.kind = PathKind::IngressFresh;
            }
        }
    }

    /// Forgets the way; the next send looks it up (after repeated timeouts, say).
    #[inline]
    pub fn forget(&mut self) {
        *self = PathCache::default();
    }

    pub(crate) fn neighbor(index: u32, generation: u32) -> PathCache {
        PathCache { index, generation, mac: [0; 6], kind: PathKind::Neighbor }
    }
}
