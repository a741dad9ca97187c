//! Who may use the control socket.

use super::peer::Peer;
use std::fs;
use std::io;

const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;

/// The rule: root, the server's own user, and whom the mode of the socket file lets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The mode of the socket file.
    pub mode: u32,
    /// Its group; the server's own when absent.
    pub group: Option<u32>,
}

impl Default for Access {
    /// The owner and the group may; others may not.
    fn default() -> Access {
        Access { mode: 0o660, group: None }
    }
}

impl Access {
    /// Whether `peer` may, when the server runs as `own_uid` and `own_gid`. The kernel has checked the file's mode
    /// when the peer connected; this holds also when the mode was changed, or the socket was handed on.
    pub fn allows(&self, peer: &Peer, own_uid: u32, own_gid: u32) -> bool {
        if peer.uid == 0 || peer.uid == own_uid || self.mode & OTHER_WRITE != 0 {
            return true;
        }
        self.mode & GROUP_WRITE != 0 && peer.is_member(self.group.unwrap_or(own_gid))
    }
}

/// The number of a group: a number as it is, a name as `/etc/group` has it.
pub fn resolve_group(group: &str) -> io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    find_group(&fs::read_to_string("/etc/group")?, group)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no group `{group}` in /etc/group")))
}

/// group(5): `name:password:number:members`.
fn find_group(table: &str, name: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
        Peer { pid: 1, uid, gid, groups: groups.to_vec() }
    }

    #[test]
    fn root_and_the_own_user_are_let_in_by_every_mode() {
        let closed = Access { mode: 0o600, group: None };
        assert!(closed.allows(&peer(0, 0, &[]), 990, 990));
        assert!(closed.allows(&peer(990, 990, &[]), 990, 990));
        assert!(!closed.allows(&peer(1000, 990, &[990]), 990, 990));
    }

    #[test]
    fn the_group_is_let_in_when_the_mode_says_so() {
        let access = Access { mode: 0o660, group: Some(27) };
        assert!(access.allows(&peer(1000, 27, &[]), 990, 990));
        assert!(access.allows(&peer(1000, 1000, &[4, 27]), 990, 990));
        assert!(!access.allows(&peer(1000, 1000, &[990]), 990, 990));
        let own_group = Access { mode: 0o660, group: None };
        assert!(own_group.allows(&peer(1000, 1000, &[990]), 990, 990));
    }

    #[test]
    fn everybody_is_let_in_when_the_mode_says_so() {
        let open = Access { mode: 0o666, group: None };
        assert!(open.allows(&peer(1000, 1000, &[]), 990, 990));
    }

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        let table = "root:x:0:\nadm:x:4:syslog,ada\nbroken\nanygate:x:991:ada\n";
        assert_eq!(find_group(table, "anygate"), Some(991));
        assert_eq!(find_group(table, "broken"), None);
        assert_eq!(find_group(table, "any"), None);
        assert_eq!(resolve_group("991").ok(), Some(991));
    }
}
