//! Who is at the other end, as the kernel attests it. The one `unsafe` call of this module is here.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// More supplementary groups than this are not looked at; Linux allows 65,536, people have a few dozen.
const MAX_GROUPS: usize = 1024;

/// The process that connected: its credentials at the moment of `connect`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its process; 0 when it lives in a namespace that we cannot see.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Asks the kernel.
    pub fn of(stream: &UnixStream) -> io::Result<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(stream)?;
        Ok(Peer {
            pid: credentials.pid.as_raw_nonzero().get(),
            uid: credentials.uid.as_raw(),
            gid: credentials.gid.as_raw(),
            groups: peer_groups(stream)?,
        })
    }

    /// Whether it belongs to a group.
    pub fn is_member(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {} pid {}", self.uid, self.pid)
    }
}

/// SO_PEERGROUPS of unix(7). A peer with more groups than the buffer holds is taken to have none.
#[allow(unsafe_code, reason = "SO_PEERGROUPS has no safe wrapper in rustix")]
fn peer_groups(stream: &UnixStream) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; MAX_GROUPS];
    let mut length = std::mem::size_of_val(groups.as_slice()) as libc::socklen_t;
    // SAFETY: the pointer and `length` describe the vector's own initialised memory, which lives across the call; the
    // kernel writes at most `length` bytes of `gid_t` (plain integers) and stores how many it wrote in `length`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ERANGE) => Ok(Vec::new()),
            _ => Err(error),
        };
    }
    groups.truncate(length as usize / size_of::<libc::gid_t>());
    Ok(groups)
}
