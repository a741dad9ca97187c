//! Facts about an interface, by ioctl (sysfs shows the namespace it was mounted in, not the caller's).

use core::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::sys;

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x3;
const ETHTOOL_GCHANNELS: u32 = 0x3c;

#[repr(C)]
struct DriverInfo {
    cmd: u32,
    driver: [u8; 32],
    /// Versions, bus, and numbers of statistics: not used here.
    rest: [u8; 160],
}

#[repr(C)]
#[derive(Default)]
struct Channels {
    cmd: u32,
    max_rx: u32,
    max_tx: u32,
    max_other: u32,
    max_combined: u32,
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

/// What the port needs to know of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkFacts {
    /// Name.
    pub name: String,
    /// Index.
    pub index: u32,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// The driver's name; empty when it does not say.
    pub driver: String,
    /// Receive queues in use.
    pub rx_queues: u32,
    /// Administratively up.
    pub up: bool,
    /// Up, and with carrier.
    pub running: bool,
}

/// A socket for asking the kernel about interfaces of the namespace in which it was opened.
pub struct LinkQuery(OwnedFd);

impl LinkQuery {
    /// Opens the socket.
    pub fn open() -> io::Result<LinkQuery> {
        Ok(LinkQuery(sys::socket(libc::AF_INET, libc::SOCK_DGRAM)?))
    }

    /// Everything about `name`. `ENODEV` when there is no such interface.
    pub fn facts(&self, name: &str) -> io::Result<LinkFacts> {
        let index = sys::interface_index(name)?;
        let (up, running) = self.flags(name)?;
        Ok(LinkFacts {
            name: name.to_owned(),
            index,
            mac: self.mac(name)?,
            mtu: self.mtu(name)?,
            driver: self.driver(name).unwrap_or_default(),
            rx_queues: self.rx_queues(name).unwrap_or(1).max(1),
            up,
            running,
        })
    }

    /// True when the interface is up and has carrier.
    pub fn is_running(&self, name: &str) -> bool {
        self.flags(name).is_ok_and(|(up, running)| up && running)
    }

    fn get(&self, name: &str, request: libc::c_ulong) -> io::Result<libc::ifreq> {
        sys::interface_ioctl(self.0.as_fd(), name, request as libc::Ioctl, core::ptr::null_mut())
    }

    fn flags(&self, name: &str) -> io::Result<(bool, bool)> {
        let answer = self.get(name, libc::SIOCGIFFLAGS as libc::c_ulong)?;
        // SAFETY: the member that SIOCGIFFLAGS fills.
        let flags = i32::from(unsafe { answer.ifr_ifru.ifru_flags });
        Ok((flags & libc::IFF_UP != 0, flags & libc::IFF_RUNNING != 0))
    }

    fn mtu(&self, name: &str) -> io::Result<u32> {
        let answer = self.get(name, libc::SIOCGIFMTU as libc::c_ulong)?;
        // SAFETY: the member that SIOCGIFMTU fills.
        Ok(u32::try_from(unsafe { answer.ifr_ifru.ifru_mtu }).unwrap_or(0))
    }

    fn mac(&self, name: &str) -> io::Result<[u8; 6]> {
        let answer = self.get(name, libc::SIOCGIFHWADDR as libc::c_ulong)?;
        // SAFETY: the member that SIOCGIFHWADDR fills.
        let address = unsafe { answer.ifr_ifru.ifru_hwaddr }.sa_data;
        let mut mac = [0; 6];
        mac.iter_mut().zip(address).for_each(|(to, from)| *to = from as u8);
        Ok(mac)
    }

    fn driver(&self, name: &str) -> io::Result<String> {
        let mut info = DriverInfo { cmd: ETHTOOL_GDRVINFO, driver: [0; 32], rest: [0; 160] };
        self.ethtool(name, core::ptr::from_mut(&mut info).cast())?;
        let text = info.driver.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn rx_queues(&self, name: &str) -> io::Result<u32> {
        let mut channels = Channels { cmd: ETHTOOL_GCHANNELS, ..Channels::default() };
        self.ethtool(name, core::ptr::from_mut(&mut channels).cast())?;
        Ok(channels.rx.saturating_add(channels.combined))
    }

    /// `request` points to a structure of ethtool with its command filled in, as large as that command has it.
    pub(crate) fn ethtool(&self, name: &str, request: *mut c_void) -> io::Result<()> {
        sys::interface_ioctl(self.0.as_fd(), name, SIOCETHTOOL, request).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_described() {
        let facts = LinkQuery::open().unwrap().facts("lo").unwrap();
        assert_eq!((facts.mac, facts.rx_queues), ([0; 6], 1));
        assert!(facts.mtu > 0 && facts.index > 0);
    }

    #[test]
    fn a_missing_or_overlong_name_is_no_such_device() {
        let query = LinkQuery::open().unwrap();
        for name in ["agx-none", "a-name-longer-than-fifteen-bytes", "nul\0"] {
            assert_eq!(query.facts(name).unwrap_err().raw_os_error(), Some(libc::ENODEV), "{name:?}");
            assert!(!query.is_running(name));
        }
    }

    #[test]
    fn the_ethtool_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<DriverInfo>(), 196);
        assert_eq!(size_of::<Channels>(), 36);
    }
}
