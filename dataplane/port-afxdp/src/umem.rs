//! UMEM: the memory that a queue's frames live in, registered with the kernel.

use core::ptr::NonNull;
use std::io;

use netstack::frame::Region;

use crate::sys::Mapping;

const HUGE_PAGE: usize = 2 << 20;

/// Anonymous memory for frames, on 2 MiB pages when there are some.
pub struct Umem {
    mapping: Mapping,
    huge: bool,
}

impl Umem {
    /// At least `bytes` bytes; rounded up to whole pages of the kind that was got.
    pub fn map(bytes: usize, try_huge: bool) -> io::Result<Umem> {
        if try_huge {
            let flags = libc::MAP_HUGETLB | libc::MAP_POPULATE;
            if let Ok(mapping) = Mapping::anonymous(bytes.next_multiple_of(HUGE_PAGE), flags) {
                return Ok(Umem { mapping, huge: true });
            }
        }
        let mapping = Mapping::anonymous(bytes.next_multiple_of(4096), libc::MAP_POPULATE)?;
        Ok(Umem { mapping, huge: false })
    }

    /// True on 2 MiB pages.
    pub fn is_huge(&self) -> bool {
        self.huge
    }
}

// SAFETY: the mapping is owned by the value, does not move, and is readable and writable for its whole length. The
// kernel's side of the memory is pinned by the socket, which does not depend on the mapping.
unsafe impl Region for Umem {
    fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }
    fn len(&self) -> usize {
        self.mapping.len()
    }
}
