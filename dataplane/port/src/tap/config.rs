//! What a TAP interface is asked to be.

use core::net::IpAddr;

use crate::PortError;

/// Longest name of an interface, in bytes.
const MAX_NAME: usize = libc::IFNAMSIZ - 1;

/// A TAP interface.
#[derive(Clone, Debug)]
pub struct TapConfig {
    /// Name of the interface.
    pub name: String,
    /// Create the interface when there is none of that name; otherwise it must be there.
    pub create: bool,
    /// Queues, one a worker.
    pub queues: u16,
    /// Bring the kernel's end up.
    pub up: bool,
    /// Largest IP packet to set, in bytes; `None` leaves it alone.
    pub mtu: Option<u16>,
    /// Addresses with prefix lengths for the kernel's end.
    pub host_addresses: Vec<(IpAddr, u8)>,
    /// MAC address of our end; `None` derives one from the interface's.
    pub mac: Option<[u8; 6]>,
}

impl TapConfig {
    /// One queue of the interface `name`, created and brought up.
    pub fn new(name: impl Into<String>) -> TapConfig {
        TapConfig {
            name: name.into(),
            create: true,
            queues: 1,
            up: true,
            mtu: None,
            host_addresses: Vec::new(),
            mac: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), PortError> {
        let name = &self.name;
        // What dev_valid_name() of Linux refuses, and "%", which it would take for a pattern.
        let bad = |c: char| c.is_ascii_whitespace() || c.is_ascii_control() || "/:%".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || name == "." || name == ".." || name.contains(bad) {
            return Err(PortError::operator(format!("{name:?} cannot be the name of an interface"))
                .remedy(format!("a name of 1 to {MAX_NAME} characters without blanks, '/', ':' and '%'")));
        }
        if self.queues == 0 || self.queues > 256 {
            return Err(PortError::operator(format!("{name} cannot have {} queues", self.queues))
                .remedy("a number of queues from 1 to 256"));
        }
        for &(address, prefix) in &self.host_addresses {
            let most = if address.is_ipv4() { 32 } else { 128 };
            if prefix > most {
                return Err(PortError::operator(format!("{address}/{prefix} has no prefix length of 0 to {most}")));
            }
        }
        Ok(())
    }
}
