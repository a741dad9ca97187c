//! The bpf(2) system call, as much of it as a program with three maps needs. No libbpf: see
//! docs/decisions/0002-own-xdp-program.md.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::insn::Insn;

const CMD_MAP_CREATE: libc::c_int = 0;
const CMD_MAP_UPDATE: libc::c_int = 2;
const CMD_MAP_DELETE: libc::c_int = 3;
const CMD_PROG_LOAD: libc::c_int = 5;
const CMD_LINK_CREATE: libc::c_int = 28;
#[cfg(test)]
const CMD_PROG_TEST_RUN: libc::c_int = 10;

const PROG_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;
const PROG_FLAG_XDP_HAS_FRAGS: u32 = 1 << 5;
const LINK_FLAG_GENERIC: u32 = 1 << 1;
const LINK_FLAG_NATIVE: u32 = 1 << 2;
/// Room for the verifier's explanation of a refusal, in bytes.
const VERIFIER_LOG_BYTES: usize = 64 * 1024;

/// The kinds of maps in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MapType {
    /// `BPF_MAP_TYPE_HASH`
    Hash = 1,
    /// `BPF_MAP_TYPE_XSKMAP`
    Sockets = 17,
}

/// How a program is attached to its interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachMode {
    /// In the driver, before an skb exists.
    Native,
    /// In the kernel's receive path, on skbs; works on every driver.
    Generic,
}

impl AttachMode {
    /// `"native"` or `"generic"`.
    pub const fn name(self) -> &'static str {
        match self {
            AttachMode::Native => "native",
            AttachMode::Generic => "generic",
        }
    }
}

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    name: [u8; 16],
}

#[repr(C)]
struct MapElement {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

#[cfg(test)]
#[repr(C)]
struct ProgTestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// Calls bpf(2) with `attr`, whose pointers (as integers) must be valid for what the command does with them.
fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: `attr` is a `repr(C)` prefix of `union bpf_attr` for this command, and its size is given; the callers
    // in this module fill its pointers from live borrows that outlast the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, core::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel just returned this descriptor to us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    // The last byte stays zero.
    name.iter_mut().take(15).zip(text.bytes()).for_each(|(to, from)| *to = from);
    name
}

/// A map with keys of `K` and values of `V` bytes.
pub struct Map<const K: usize, const V: usize>(OwnedFd);

impl<const K: usize, const V: usize> Map<K, V> {
    /// Creates a map of at most `max_entries` entries.
    pub fn create(map_type: MapType, label: &str, max_entries: u32) -> io::Result<Self> {
        let mut attr = MapCreate {
            map_type: map_type as u32,
            key_size: K as u32,
            value_size: V as u32,
            max_entries,
            flags: 0,
            inner_map_fd: 0,
            numa_node: 0,
            name: name(label),
        };
        Ok(Map(owned(bpf(CMD_MAP_CREATE, &mut attr)?)))
    }

    /// The map's descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    /// A second handle to the same map.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Map(self.0.try_clone()?))
    }

    /// Sets the value of `key`.
    pub fn insert(&self, key: &[u8; K], value: &[u8; V]) -> io::Result<()> {
        let mut attr = self.element(key, Some(value));
        bpf(CMD_MAP_UPDATE, &mut attr).map(drop)
    }

    /// Removes `key`; not an error when it is not there.
    pub fn remove(&self, key: &[u8; K]) -> io::Result<()> {
        let mut attr = self.element(key, None);
        match bpf(CMD_MAP_DELETE, &mut attr) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(()),
        }
    }

    fn element(&self, key: &[u8; K], value: Option<&[u8; V]>) -> MapElement {
        MapElement {
            map_fd: self.0.as_raw_fd() as u32,
            pad: 0,
            key: key.as_ptr() as u64,
            value: value.map_or(0, |value| value.as_ptr() as u64),
            flags: 0,
        }
    }
}

/// A loaded program.
pub struct Program(OwnedFd);

impl Program {
    /// Loads an XDP program. `frags`: it may see packets in several buffers (Linux 5.18). On refusal by the verifier
    /// the error carries the end of its log.
    pub fn load_xdp(label: &str, insns: &[Insn], frags: bool) -> io::Result<Program> {
        match Program::try_load(label, insns, frags, None) {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                let mut log = vec![0; VERIFIER_LOG_BYTES];
                Program::try_load(label, insns, frags, Some(&mut log)).map_err(|_| {
                    let text = String::from_utf8_lossy(&log);
                    // Behind the terminator lies what the verifier wrote on paths that it took back.
                    let text = text.split('\0').next().unwrap_or_default().trim_end();
                    let tail: Vec<_> = text.lines().rev().take(4).collect();
                    io::Error::other(format!("verifier: {}", tail.into_iter().rev().collect::<Vec<_>>().join(" | ")))
                })
            }
            result => result,
        }
    }

    fn try_load(label: &str, insns: &[Insn], frags: bool, log: Option<&mut [u8]>) -> io::Result<Program> {
        let license = c"MIT";
        let (log_level, log_size, log_buf) =
            log.map_or((0, 0, 0), |log| (1, log.len() as u32, log.as_mut_ptr() as u64));
        let mut attr = ProgLoad {
            prog_type: PROG_TYPE_XDP,
            insn_cnt: insns.len() as u32,
            insns: insns.as_ptr() as u64,
            license: license.as_ptr() as u64,
            log_level,
            log_size,
            log_buf,
            kern_version: 0,
            prog_flags: if frags { PROG_FLAG_XDP_HAS_FRAGS } else { 0 },
            name: name(label),
            ifindex: 0,
            expected_attach_type: ATTACH_TYPE_XDP,
        };
        Ok(Program(owned(bpf(CMD_PROG_LOAD, &mut attr)?)))
    }

    /// Attaches the program to an interface for as long as the returned descriptor is open.
    pub fn attach(&self, ifindex: u32, mode: AttachMode) -> io::Result<OwnedFd> {
        let mut attr = LinkCreate {
            prog_fd: self.0.as_raw_fd() as u32,
            target_ifindex: ifindex,
            attach_type: ATTACH_TYPE_XDP,
            flags: match mode {
                AttachMode::Native => LINK_FLAG_NATIVE,
                AttachMode::Generic => LINK_FLAG_GENERIC,
            },
        };
        Ok(owned(bpf(CMD_LINK_CREATE, &mut attr)?))
    }

    /// The program's verdict on `packet`, as if it had come on queue 0 of the loopback interface.
    #[cfg(test)]
    pub fn test_run(&self, packet: &[u8]) -> io::Result<u32> {
        let mut attr = ProgTestRun {
            prog_fd: self.0.as_raw_fd() as u32,
            retval: 0,
            data_size_in: packet.len() as u32,
            data_size_out: 0,
            data_in: packet.as_ptr() as u64,
            data_out: 0,
            repeat: 1,
            duration: 0,
        };
        bpf(CMD_PROG_TEST_RUN, &mut attr)?;
        Ok(attr.retval)
    }
}
