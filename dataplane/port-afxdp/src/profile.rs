//! Facts about NIC families from `nic-profiles/`: plain data, compiled in.

use serde::Deserialize;

const PROFILES: [&str; 2] =
    [include_str!("../../../nic-profiles/veth.toml"), include_str!("../../../nic-profiles/tap.toml")];

/// One value of a profile, and how it is known.
#[derive(Clone, Debug, Deserialize)]
struct Fact<T> {
    value: T,
    #[allow(dead_code, reason = "for readers of the file; its presence is checked by parsing")]
    source: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    drivers: Vec<String>,
    partial_checksums: Fact<bool>,
    oversize_frames: Fact<bool>,
    native_attach: Fact<String>,
}

/// What is known about the family of a driver.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// The other end may leave transport checksums partial.
    pub partial_checksums: bool,
    /// The other end may send packets longer than the MTU.
    pub oversize_frames: bool,
    /// What mends a refused native attach.
    pub native_attach: Option<String>,
}

/// The profile of a driver; the default one (nothing special) for families that have none.
pub fn of_driver(driver: &str) -> Profile {
    PROFILES
        .iter()
        .filter_map(|text| toml::from_str::<File>(text).ok())
        .find(|file| file.drivers.iter().any(|name| name == driver))
        .map(|file| Profile {
            partial_checksums: file.partial_checksums.value,
            oversize_frames: file.oversize_frames.value,
            native_attach: Some(file.native_attach.value),
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_parses() {
        for text in PROFILES {
            let file: File = toml::from_str(text).unwrap();
            assert!(!file.drivers.is_empty());
            assert!(!file.partial_checksums.source.is_empty());
        }
    }

    #[test]
    fn virtual_links_have_a_profile_and_unknown_drivers_the_default() {
        assert!(of_driver("veth").partial_checksums);
        assert!(of_driver("tun").partial_checksums);
        assert_eq!(of_driver("no-such-driver"), Profile::default());
    }
}
