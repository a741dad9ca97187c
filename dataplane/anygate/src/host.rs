//! What the host says about itself: addresses of interfaces, pinning, randomness.

use rustix::thread::CpuSet;
use std::io;
use std::net::IpAddr;

/// The addresses that the kernel has on an interface, with prefix lengths. Link-local IPv6 addresses are left out: the
/// stack has its own.
pub fn interface_addresses(interface: &str) -> io::Result<Vec<(IpAddr, u8)>> {
    let output = std::process::Command::new("ip").args(["-o", "addr", "show", "dev", interface]).output()?;
    Ok(parse_ip_addr(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines such as `2: eth0    inet 10.0.0.2/24 brd …`.
fn parse_ip_addr(text: &str) -> Vec<(IpAddr, u8)> {
    let address = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "inet" | "inet6"));
        let (address, prefix) = words.nth(1)?.split_once('/')?;
        Some((address.parse::<IpAddr>().ok()?, prefix.parse().ok()?))
    };
    text.lines().filter_map(address).filter(|(address, _)| !is_link_local(address)).collect()
}

fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

/// Pins the calling thread.
pub fn pin_to(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    if core >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    set.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// A secret of this machine that stays the same, for addresses that shall stay the same (RFC 7217 §5): its identifier, as
/// machine-id(5) has it, used as a key and never shown.
pub fn machine_secret() -> Option<[u8; 16]> {
    parse_machine_id(&std::fs::read_to_string("/etc/machine-id").ok()?)
}

/// 32 hexadecimal digits.
fn parse_machine_id(text: &str) -> Option<[u8; 16]> {
    let digits = text.trim();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().filter(|id| *id != 0).map(u128::to_be_bytes)
}

/// The name of this machine, without its domain.
pub fn name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().split('.').next()?.to_owned();
    let fits = (1..=63).contains(&name.len()) && name != "localhost" && name != "(none)";
    Some(name).filter(|_| fits)
}

/// 32 bytes from the kernel's generator.
pub fn random_seed() -> io::Result<netstack::rng::Seed> {
    let mut bytes = [0u8; 32];
    let mut file = std::fs::File::open("/dev/urandom")?;
    io::Read::read_exact(&mut file, &mut bytes)?;
    Ok(netstack::rng::Seed(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_id_is_32_digits() {
        let id = "0123456789abcdef0123456789abcdef\n";
        assert_eq!(parse_machine_id(id).map(|bytes| bytes[..3].to_vec()), Some(vec![0x01, 0x23, 0x45]));
        for wrong in [
            "",
            "uninitialized\n",
            "00000000000000000000000000000000",
            "0123456789abcdef",
            "+123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(parse_machine_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_the_addresses_that_ip_prints() {
        let text = "2: eth0    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever\n\
                    2: eth0    inet6 fd00::2/64 scope global\\  valid_lft forever\n\
                    2: eth0    inet6 fe80::1/64 scope link\n";
        let expected: Vec<(IpAddr, u8)> = vec![("10.0.0.2".parse().unwrap(), 24), ("fd00::2".parse().unwrap(), 64)];
        assert_eq!(parse_ip_addr(text), expected);
    }
}
