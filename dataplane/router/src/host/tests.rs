use super::*;

fn table(hosts: &[&str]) -> HostTable {
    let patterns: Vec<HostPattern> = hosts.iter().map(|host| HostPattern::parse(host).expect(host)).collect();
    HostTable::build(patterns.iter().zip(0..))
}

#[test]
fn the_most_specific_host_is_found() {
    let table = table(&["example.org", "*.example.org", "*.a.example.org", "*.org", "192.0.2.1", "[2001:db8::1]"]);
    for (authority, expected) in [
        ("example.org", Some(0)),
        ("EXAMPLE.org:8080", Some(0)),
        ("example.org.", Some(0)),
        ("example.org.:80", Some(0)),
        ("www.example.org", Some(1)),
        ("a.example.org", Some(1)),
        ("b.a.example.org", Some(2)),
        ("c.b.a.example.org", Some(2)),
        ("other.org", Some(3)),
        ("org", None),
        ("192.0.2.1:80", Some(4)),
        ("[2001:DB8:0:0:0:0:0:1]:443", Some(5)),
        ("[2001:db8::1]", Some(5)),
        ("[2001:db8::2]", None),
        ("[nonsense", None),
        ("", None),
        (".", None),
        ("notexample.net", None),
    ] {
        assert_eq!(table.find(Some(authority)), expected, "{authority}");
    }
    assert_eq!(table.find(None), None);
    assert_eq!(table.find(Some(&"a.".repeat(400))), None);
}

#[test]
fn bad_hosts_are_refused_with_advice() {
    for (host, reason) in [
        ("http://example.org", "`http://example.org` is not a host"),
        ("example.org:80", "host `example.org:80` has a port"),
        ("a*.example.org", "`*` in `a*.example.org` is not a whole first label"),
        ("*", "`*` in `*` is not a whole first label"),
        ("*.[::1]", "`*.[::1]` is no wildcard host"),
        ("b\u{fc}cher.example", "host `b\u{fc}cher.example` has letters outside ASCII"),
        ("a..b", "`a..b` is not a host name"),
        ("", "`` is not a host name"),
    ] {
        assert_eq!(HostPattern::parse(host).expect_err(host).0, reason);
    }
}
