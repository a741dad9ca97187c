//! Socket options, ioctls and memory mappings: the system calls of the other modules, each in a checked wrapper.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Plain data that the kernel reads or writes as bytes.
///
/// # Safety
///
/// Every bit pattern is a valid value, and there is no padding that matters.
pub unsafe trait Plain: Copy {}
// SAFETY: an integer.
unsafe impl Plain for c_int {}
// SAFETY: a struct of integers.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: a struct of integers.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: a struct of integers.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: a struct of integers.
unsafe impl Plain for libc::xdp_options {}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A new socket, closed on exec.
pub fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are involved.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just returned this descriptor to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option of a socket.
pub fn set_option<T: Plain>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let pointer = core::ptr::from_ref(value).cast::<c_void>();
    // SAFETY: `value` is borrowed for the call, and its size is given.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, size_of::<T>() as u32) }).map(drop)
}

/// Reads an option of a socket. Fails with `EINVAL` when the kernel gives less than a whole `T`.
pub fn option<T: Plain>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has room for `size` bytes, which the kernel does not exceed.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &mut size) })?;
    if (size as usize) < size_of::<T>() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: zeroed, then written by the kernel; every bit pattern of a `Plain` is valid.
    Ok(unsafe { value.assume_init() })
}

/// Binds an AF_XDP socket.
pub fn bind_xdp(fd: BorrowedFd<'_>, address: &libc::sockaddr_xdp) -> io::Result<()> {
    let pointer = core::ptr::from_ref(address).cast::<libc::sockaddr>();
    // SAFETY: `address` is borrowed for the call, and its size is given.
    check(unsafe { libc::bind(fd.as_raw_fd(), pointer, size_of::<libc::sockaddr_xdp>() as u32) }).map(drop)
}

/// Makes the kernel look at the transmit ring of an AF_XDP socket.
pub fn kick_transmit(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no data and no address are given.
    let sent = unsafe { libc::sendto(fd.as_raw_fd(), core::ptr::null(), 0, libc::MSG_DONTWAIT, core::ptr::null(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes the kernel look at the fill ring of an AF_XDP socket, or poll the queue.
pub fn kick_receive(fd: BorrowedFd<'_>) -> io::Result<()> {
    let nowhere = core::ptr::null_mut();
    // SAFETY: no buffer and no address are given.
    let got = unsafe {
        libc::recvfrom(fd.as_raw_fd(), nowhere, 0, libc::MSG_DONTWAIT, core::ptr::null_mut(), core::ptr::null_mut())
    };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A memory mapping, unmapped on drop.
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// `len` bytes of anonymous zeroed memory, with `flags` beside `MAP_PRIVATE | MAP_ANONYMOUS`.
    pub fn anonymous(len: usize, flags: c_int) -> io::Result<Mapping> {
        Mapping::map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags, -1, 0)
    }

    /// `len` bytes shared with the kernel, from `offset` of `fd`.
    pub fn shared(fd: BorrowedFd<'_>, len: usize, offset: libc::off_t) -> io::Result<Mapping> {
        Mapping::map(len, libc::MAP_SHARED | libc::MAP_POPULATE, fd.as_raw_fd(), offset)
    }

    fn map(len: usize, flags: c_int, fd: c_int, offset: libc::off_t) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping at an address that the kernel chooses touches no existing memory.
        let base = unsafe { libc::mmap(core::ptr::null_mut(), len, access, flags, fd, offset) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Mapping { base, len })
    }

    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nothing refers to it after its owner is gone.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

// SAFETY: a mapping is owned memory that is not tied to a thread.
unsafe impl Send for Mapping {}

/// The index of the interface `name`, in the network namespace of the calling thread.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: a terminated string, borrowed for the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// An ioctl about the interface `name`; `fill` prepares the request and the kernel's answer is returned.
pub fn interface_ioctl(
    fd: BorrowedFd<'_>,
    name: &str,
    request: libc::Ioctl,
    data: *mut c_void,
) -> io::Result<libc::ifreq> {
    // SAFETY: all zero is a valid `ifreq`.
    let mut ifreq: libc::ifreq = unsafe { core::mem::zeroed() };
    if name.len() >= ifreq.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    ifreq.ifr_name.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from as libc::c_char);
    if !data.is_null() {
        ifreq.ifr_ifru.ifru_data = data.cast();
    }
    // SAFETY: `ifreq` is alive and of the type that the interface requests take; a request that follows `data` is
    // given a pointer to the structure it expects by the callers in `link`.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &mut ifreq) })?;
    Ok(ifreq)
}
