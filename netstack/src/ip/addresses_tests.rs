use super::*;

const MAC: [u8; 6] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addresses(list: &[&str]) -> Result<Addresses, ConfigError> {
    Addresses::new(&list.iter().map(|text| cidr(text)).collect::<Vec<_>>(), MAC)
}

#[test]
fn classification() {
    let ours = addresses(&["192.0.2.1/24", "2001:db8::1/64"]).unwrap();
    let v4 = |text: &str| ours.classify_v4(text.parse().unwrap());
    let v6 = |text: &str| ours.classify_v6(text.parse().unwrap());
    assert_eq!(v4("192.0.2.1"), Destination::Local);
    assert_eq!(v4("192.0.2.255"), Destination::Broadcast);
    assert_eq!(v4("255.255.255.255"), Destination::Broadcast);
    assert_eq!(v4("224.0.0.1"), Destination::OtherGroup);
    assert_eq!(v4("192.0.2.2"), Destination::Other);
    assert_eq!(v6("2001:db8::1"), Destination::Local);
    assert_eq!(v6("fe80::11:22ff:fe33:4455"), Destination::Local);
    assert_eq!(v6("ff02::1"), Destination::Group);
    assert_eq!(v6("ff02::1:ff00:1"), Destination::Group);
    assert_eq!(v6("ff02::1:ff33:4455"), Destination::Group);
    assert_eq!(v6("ff02::2"), Destination::OtherGroup);
    assert_eq!(v6("2001:db8::2"), Destination::Other);
}

#[test]
fn addresses_that_cannot_be_ours_are_refused() {
    for text in [
        "0.0.0.0/0",
        "127.0.0.1/8",
        "224.0.0.5/4",
        "192.0.2.0/24",
        "192.0.2.255/24",
        "::/0",
        "::1/128",
        "ff02::1/128",
        "::ffff:1.2.3.4/128",
        "250.0.0.1/8",
    ] {
        assert!(matches!(addresses(&[text]), Err(ConfigError::Address(_))), "{text}");
    }
    assert!(matches!(addresses(&["10.0.0.1/24", "10.0.0.1/25"]), Err(ConfigError::DuplicateAddress(_))));
    assert!(addresses(&["10.0.0.0/31", "10.0.0.1/32"]).is_ok());
}

#[test]
fn source_selection_follows_rfc_6724() {
    let ours =
        addresses(&["10.0.0.1/24", "10.1.0.1/24", "169.254.3.3/16", "2001:db8:1::1/64", "2001:db8:2::1/64"]).unwrap();
    let pick = |text: &str| ours.select_source(ip(text)).unwrap().to_string();
    assert_eq!(pick("10.1.0.9"), "10.1.0.1");
    assert_eq!(pick("10.1.0.1"), "10.1.0.1");
    assert_eq!(pick("10.0.0.7"), "10.0.0.1");
    assert_eq!(pick("169.254.9.9"), "169.254.3.3");
    assert_eq!(pick("2001:db8:2::99"), "2001:db8:2::1");
    assert_eq!(pick("fe80::77"), "fe80::11:22ff:fe33:4455");
    assert_eq!(pick("ff02::1"), "fe80::11:22ff:fe33:4455");
    assert!(addresses(&[]).unwrap().select_source(ip("10.0.0.1")).is_none());
}
