//! The ioctl requests of a TAP interface: the only `unsafe` of this port.

#![allow(unsafe_code)]

use core::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::{c_int, c_short, c_ulong, ifreq};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// `struct in6_ifreq` of Linux.
#[repr(C)]
struct In6Ifreq {
    address: libc::in6_addr,
    prefix: u32,
    index: c_int,
}

fn request<T>(fd: &impl AsFd, request: c_ulong, argument: &mut T) -> Result<(), Errno> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open while borrowed, and every caller in this module passes the structure that the
    // request reads and writes, valid for the whole call.
    match unsafe { libc::ioctl(fd, request as _, core::ptr::from_mut(argument)) } {
        -1 => Err(last_error()),
        _ => Ok(()),
    }
}

fn last_error() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

fn named(name: &str) -> ifreq {
    // SAFETY: `ifreq` is plain data, for which all zeroes is a value.
    let mut request: ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as _;
    }
    request
}

/// Attaches a descriptor of `/dev/net/tun` to the TAP interface `name`, which is created when there is none.
pub fn attach(fd: &OwnedFd, name: &str, multi_queue: bool) -> Result<(), Errno> {
    let mut interface = named(name);
    let multi_queue = if multi_queue { libc::IFF_MULTI_QUEUE } else { 0 };
    interface.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | multi_queue) as c_short;
    request(fd, libc::TUNSETIFF as c_ulong, &mut interface)?;
    let mut header = super::vnet::LEN as c_int;
    request(fd, libc::TUNSETVNETHDRSZ as c_ulong, &mut header)
}

/// Lets the kernel hand over its own packets with partial checksums; segmentation stays the kernel's work.
pub fn offload_checksums(fd: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: this request takes its argument by value; the descriptor is open while borrowed.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::TUN_F_CSUM as c_ulong) } {
        -1 => Err(last_error()),
        _ => Ok(()),
    }
}

/// Requests about one interface by name.
pub struct Control {
    socket: OwnedFd,
    name: String,
}

impl Control {
    pub fn open(name: &str) -> Result<Control, Errno> {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Control { socket, name: name.into() })
    }

    fn get(&self, which: c_ulong) -> Result<ifreq, Errno> {
        let mut interface = named(&self.name);
        request(&self.socket, which, &mut interface)?;
        Ok(interface)
    }

    pub fn mac(&self) -> Result<[u8; 6], Errno> {
        let interface = self.get(libc::SIOCGIFHWADDR as c_ulong)?;
        // SAFETY: the request filled the address member.
        let bytes = unsafe { interface.ifr_ifru.ifru_hwaddr.sa_data };
        Ok(core::array::from_fn(|i| bytes[i] as u8))
    }

    pub fn mtu(&self) -> Result<u16, Errno> {
        let interface = self.get(libc::SIOCGIFMTU as c_ulong)?;
        // SAFETY: the request filled the MTU member.
        let mtu = unsafe { interface.ifr_ifru.ifru_mtu };
        Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
    }

    pub fn set_mtu(&self, mtu: u16) -> Result<(), Errno> {
        let mut interface = named(&self.name);
        interface.ifr_ifru.ifru_mtu = c_int::from(mtu);
        request(&self.socket, libc::SIOCSIFMTU as c_ulong, &mut interface)
    }

    fn flags(&self) -> Result<c_short, Errno> {
        let interface = self.get(libc::SIOCGIFFLAGS as c_ulong)?;
        // SAFETY: the request filled the flags member.
        Ok(unsafe { interface.ifr_ifru.ifru_flags })
    }

    pub fn is_running(&self) -> Result<bool, Errno> {
        let wanted = (libc::IFF_UP | libc::IFF_RUNNING) as c_short;
        Ok(self.flags()? & wanted == wanted)
    }

    pub fn set_up(&self) -> Result<(), Errno> {
        let mut interface = named(&self.name);
        interface.ifr_ifru.ifru_flags = self.flags()? | libc::IFF_UP as c_short;
        request(&self.socket, libc::SIOCSIFFLAGS as c_ulong, &mut interface)
    }

    pub fn add_address(&self, address: IpAddr, prefix: u8) -> Result<(), Errno> {
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                self.set_ipv4(libc::SIOCSIFADDR as c_ulong, address.octets())?;
                self.set_ipv4(libc::SIOCSIFNETMASK as c_ulong, mask.to_be_bytes())
            }
            IpAddr::V6(address) => {
                let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
                let index = rustix::net::netdevice::name_to_index(&self.socket, &self.name)? as c_int;
                let address = libc::in6_addr { s6_addr: address.octets() };
                let mut argument = In6Ifreq { address, prefix: u32::from(prefix), index };
                request(&socket, libc::SIOCSIFADDR as c_ulong, &mut argument)
            }
        }
    }

    fn set_ipv4(&self, which: c_ulong, octets: [u8; 4]) -> Result<(), Errno> {
        let mut interface = named(&self.name);
        let mut address = libc::sockaddr { sa_family: libc::AF_INET as _, sa_data: [0; 14] };
        // `struct sockaddr_in`: two bytes of port, then the address.
        for (to, from) in address.sa_data[2..6].iter_mut().zip(octets) {
            *to = from as _;
        }
        interface.ifr_ifru.ifru_addr = address;
        request(&self.socket, which, &mut interface)
    }
}
