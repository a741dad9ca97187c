//! Values in each notation, and defaults.

use std::time::Duration;

use config::{Config, Congestion, Format, PortConfig, Queues, Size, Switch};

use crate::{good, parse};

#[test]
fn an_empty_file_is_the_defaults() {
    for (text, format) in [
        ("", Format::Yaml),
        ("# nothing\n", Format::Yaml),
        ("{}", Format::Json),
        ("", Format::Json),
        ("", Format::Toml),
    ] {
        let loaded = parse(text, format).unwrap();
        assert_eq!(loaded.config.server, Config::default().server);
        assert!(loaded.config.ports.is_empty() && loaded.config.route_groups().all(|group| group.routes.is_empty()));
        assert_eq!(loaded.warnings.len(), 2, "neither ports nor routes");
    }
    for text in ["server:\n", "server: {}\nports: []\ngroups: []\nroutes: []\n", "\u{feff}server: ~\n"] {
        assert_eq!(good(text, Format::Yaml).server, Config::default().server);
    }
}

#[test]
fn sizes() {
    for (written, bytes) in [
        ("4096", 4096),
        ("64k", 65_536),
        ("64KiB", 65_536),
        ("1MiB", 1 << 20),
        ("2 MB", 2 << 20),
        ("1g", 1 << 30),
        ("512b", 512),
    ] {
        let config = good(&format!("server: {{ limits: {{ body: {written} }} }}"), Format::Yaml);
        assert_eq!(config.server.limits.body.bytes(), bytes, "{written}");
    }
    assert_eq!(good("[server.limits]\nbody = 4_096\n", Format::Toml).server.limits.body.bytes(), 4096);
    for (size, shown) in
        [(Size(0), "0"), (Size(1000), "1000"), (Size::kib(8), "8KiB"), (Size::mib(3), "3MiB"), (Size(1 << 30), "1GiB")]
    {
        assert_eq!(size.to_string(), shown);
    }
}

#[test]
fn times() {
    for (written, time) in [
        ("10s", 10_000_000),
        ("250ms", 250_000),
        ("5m", 300_000_000),
        ("1h", 3_600_000_000),
        ("1m30s", 90_000_000),
        ("1m 30s", 90_000_000),
    ] {
        let config = good(&format!("server: {{ timeouts: {{ idle: {written} }} }}"), Format::Yaml);
        assert_eq!(config.server.timeouts.idle, Duration::from_micros(time), "{written}");
    }
    assert_eq!(good("server: { spin: 0 }", Format::Yaml).server.spin, Duration::ZERO);
}

#[test]
fn options() {
    for word in ["off", "false", "null", "~", ""] {
        assert_eq!(
            good(&format!("server:\n  server_header: {word}\n"), Format::Yaml).server.server_header,
            None,
            "{word}"
        );
    }
    assert_eq!(good("{\"server\": {\"server_header\": null}}", Format::Json).server.server_header, None);
    assert_eq!(
        good("server:\n  tcp:\n    keep_alive: 2h\n", Format::Yaml).server.tcp.keep_alive,
        Some(Duration::from_secs(7200))
    );
}

#[test]
fn ports() {
    let text = "ports:\n  kind: af_xdp\n  interface: eth0\n  queues: 4\n  zero_copy: off\n  hugepages: true\n  vlan: 12\n  addresses: 10.0.0.2/24\n";
    let config = good(text, Format::Yaml);
    let PortConfig::AfXdp(port) = &config.ports[0] else { panic!("an AF_XDP port") };
    assert_eq!(
        (&port.queues, port.zero_copy, port.hugepages, port.vlan),
        (&Queues::First(4), Switch::Off, true, Some(12))
    );
    assert_eq!(port.addresses[0].to_string(), "10.0.0.2/24");
    let json = "{\"ports\": [{\"kind\": \"tap\", \"interface\": \"t0\", \"addresses\": [\"10.0.0.2/24\", \"fd00::2/64\"], \"gateways\": [\"10.0.0.1\", \"fd00::1\"], \"mac\": \"02:00:00:00:00:01\", \"up\": false}]}";
    let toml = "[[ports]]\nkind = 'tap'\ninterface = 't0'\naddresses = ['10.0.0.2/24', 'fd00::2/64']\ngateways = ['10.0.0.1', 'fd00::1']\nmac = '02:00:00:00:00:01'\nup = false\n";
    assert_eq!(good(json, Format::Json).ports, good(toml, Format::Toml).ports);
}

#[test]
fn yaml_aliases_and_numbers_in_other_notations() {
    let text = "server: { listen: &all [':80', ':8080'], tcp: { backlog: 1_000 } }\nports:\n  - &first { kind: tap, interface: t0, addresses: [10.0.0.1/24] }\n";
    let config = good(text, Format::Yaml);
    assert_eq!((config.server.listen.len(), config.server.tcp.backlog), (2, 1000));
    assert_eq!(good("[server.tcp]\nbacklog = 0x10\n", Format::Toml).server.tcp.backlog, 16);
}

#[test]
fn networks_contain() {
    let config =
        good("ports: [{ kind: tap, interface: t, addresses: [10.1.2.3/20, 'fd00::1/64', 10.9.9.9/32] }]", Format::Yaml);
    let [v4, v6, host] = config.ports[0].addresses() else { panic!("three") };
    for (network, inside, expected) in [
        (v4, "10.1.15.255", true),
        (v4, "10.1.16.0", false),
        (v4, "fd00::1", false),
        (v6, "fd00::ffff", true),
        (v6, "fd01::1", false),
        (host, "10.9.9.9", true),
        (host, "10.9.9.8", false),
    ] {
        assert_eq!(network.contains(inside.parse().unwrap()), expected, "{network} {inside}");
    }
}

#[test]
fn congestion_controllers_of_server_listeners_and_groups() {
    let text = "server:\n  listen: [':80', { address: '[::]:8080', congestion: bbr }]\n  tcp: { congestion: newreno }\ngroups:\n  - prefix: /video\n    congestion: bbr\n    routes: { /a: OK }\n";
    let config = good(text, Format::Yaml);
    let listeners: Vec<_> = config.server.listen.iter().map(|l| (l.to_string(), l.congestion)).collect();
    assert_eq!(listeners, [(":80".to_owned(), None), ("[::]:8080".to_owned(), Some(Congestion::Bbr))]);
    assert_eq!(config.server.tcp.congestion, Congestion::NewReno);
    assert_eq!((config.groups[0].congestion, config.routes.congestion), (Some(Congestion::Bbr), None));
    let json = "{\"server\": {\"listen\": {\"address\": \":80\", \"congestion\": \"cubic\"}}}";
    assert_eq!(good(json, Format::Json).server.listen[0].congestion, Some(Congestion::Cubic));
}
