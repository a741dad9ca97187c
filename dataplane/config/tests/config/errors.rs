//! Every message with its full text: `tests/snapshots/*.txt`. `UPDATE=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use config::Format::{Json, Toml, Yaml};
use config::{Config, Format};

/// Name, format, text.
const CASES: &[(&str, Format, &str)] = &[
    ("yaml_syntax", Yaml, "server:\n  listen: [\":80\"\nports: []\n"),
    ("yaml_two_documents", Yaml, "server: {}\n---\nserver: {}\n"),
    ("yaml_unknown_alias", Yaml, "server: *common\n"),
    ("yaml_tag", Yaml, "server: !include other.yaml\n"),
    ("yaml_collection_as_key", Yaml, "? [a]\n: b\n"),
    ("json_syntax", Json, "{\n  \"server\": {\"listen\": \":80\",}\n}\n"),
    ("json_trailing", Json, "{} x"),
    ("toml_syntax", Toml, "[server]\nlisten = \":80\nworkers = = 3\n"),
    ("toml_duplicate_route", Toml, "[routes]\n\"GET /x\" = \"OK\"\n\"GET /x\" = \"FORBIDDEN\"\n"),
    ("not_a_mapping", Yaml, "- server\n"),
    ("unknown_key", Yaml, "server:\n  lisen: \":80\"\n  timeouts:\n    cheese: 3s\nrouts:\n  /x: OK\n"),
    ("duplicate_key", Yaml, "server:\n  workers: 1\n  spin: 1us\n  workers: 2\n"),
    (
        "wrong_types",
        Yaml,
        "server:\n  listen: {}\n  workers: many\n  limits: 5\n  tcp:\n    backlog: lots\n  polling: alway\n",
    ),
    ("quoted_number", Json, "{\"server\": {\"tcp\": {\"backlog\": \"12\"}, \"control\": {\"mode\": 660}}}"),
    (
        "sizes_and_times",
        Toml,
        "[server.limits]\nbody = \"1 parsec\"\nheader_bytes = \"99999999999g\"\nrequest_line = 1\n[server.timeouts]\nidle = 10\nheader = \"10 years\"\nwrite = \"100000h\"\n",
    ),
    (
        "numbers",
        Yaml,
        "server:\n  limits: { header_count: 70000, header_bytes: 0 }\n  tcp: { keep_alive_probes: -1, backlog: 1.5 }\n",
    ),
    (
        "listen_addresses",
        Yaml,
        "server:\n  listen: [80, 'localhost:80', '10.0.0.1', '::1:80', 'fd00::1', ':0', '[::]:99999', ok]\n",
    ),
    ("listen_twice", Yaml, "server:\n  listen:\n    - 0.0.0.0:80\n    - '[::]:80'\n    - 0.0.0.0:80\n"),
    (
        "congestion",
        Yaml,
        "server:\n  listen: [{ congestion: bbr }, { address: ':81', congestion: cubik }]\n  tcp: { congestion: vegas }\ngroups:\n  - congestion: fast\n    routes: { /: OK }\n",
    ),
    ("listen_nowhere", Yaml, "server:\n  listen: []\n"),
    ("server_header", Yaml, "server: { server_header: \"a\\r\\nX: y\" }\n"),
    ("cores", Yaml, "server: { workers: 4, cores: 0-2 }\n"),
    ("cores_wrong", Yaml, "server: { cores: [3-1] }\n"),
    ("cores_twice", Yaml, "server: { cores: '0-3,2' }\n"),
    ("tcp_timeouts", Yaml, "server:\n  tcp:\n    rto_min: 1s\n    rto_max: 1s\n    time_wait: 1h\n"),
    ("rto_order", Yaml, "server:\n  tcp: { rto_min: 900ms, rto_max: 1s, data_retries: 31 }\n"),
    ("control", Yaml, "server:\n  control: { socket: run/x.sock, mode: rw-rw---- }\n"),
    ("sections_to_come", Yaml, "tls: { certificate: a.pem }\nproxy: {}\nstatic: {}\nplugins: []\nroutes:\n  /: OK\n"),
    (
        "port_kinds",
        Yaml,
        "ports:\n  - kind: dpdk\n    device: 0000:01:00.0\n  - kind: kernel\n  - kind: afxdp\n  - kind: carrier-pigeon\n  - interface: eth0\n",
    ),
    ("port_required", Yaml, "ports:\n  - kind: af_xdp\n    queues: auto\n  - kind: tap\n    interface: t0\n"),
    (
        "port_values",
        Yaml,
        "ports:\n  - kind: af_xdp\n    interface: an-interface-name-too-long\n    queues: [1, 1]\n    mode: fast\n    zero_copy: maybe\n    vlan: 4095\n    mtu: 100\n    addresses: [10.0.0.1, 10.0.0.1/33, fd00::1]\n    gateways: [10.0.0.1/24]\n",
    ),
    (
        "port_rings",
        Yaml,
        "ports:\n  - kind: af_xdp\n    interface: eth0\n    ring: 1000\n    frames: 256\n    exclusive_addresses: true\n",
    ),
    (
        "tap_values",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    addresses: [fd00::2/64]\n    mtu: 1000\n    mac: '01:00:00:00:00:01'\n",
    ),
    ("tap_mtu", Yaml, "ports:\n  - kind: tap\n    interface: t0\n    addresses: [fd00::2/64]\n    mtu: 1000\n"),
    (
        "interface_twice",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    addresses: [10.0.0.1/24]\n  - kind: af_xdp\n    interface: t0\n",
    ),
    (
        "address_twice",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    addresses: [10.0.0.1/24]\n  - kind: tap\n    interface: t1\n    addresses: [10.0.0.1/16, 127.0.0.1/8, 10.1.255.255/16]\n",
    ),
    (
        "gateways",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    addresses: [10.0.0.1/24]\n    gateways: [10.0.1.1, 10.0.0.2, 'fe80::1', 10.0.0.1, 10.0.0.2]\n",
    ),
    (
        "acquired_addresses",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    dhcp4: maybe\n    ipv6_address_generation: random\n  - kind: tap\n    interface: t2\n    addresses: [dhcp]\n",
    ),
    (
        "acquiring_needs_arp",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    dhcp4: true\n    slaac: true\n    answer_arp: false\n    mtu: 1000\n",
    ),
    (
        "accept_routes",
        Yaml,
        "ports:\n  - kind: tap\n    interface: t0\n    dhcp4: true\n    accept_routes: true\nroutes:\n  /: OK\n",
    ),
    (
        "route_values",
        Json,
        "{\"routes\": {\"GET /x\": {\"msg\": 1}, \"/y\": [1]}, \"groups\": [{\"routes\": [[\"GET /\"]]}]}",
    ),
    (
        "group_values",
        Yaml,
        "groups:\n  - host: http://example.org\n    prefix: api\n    route:\n      /x: OK\n  - hosts: [a.example, A.example, 'x..y', '*', 'a.*.b', 'ex ample']\n",
    ),
    ("routes_file_from_memory", Yaml, "routes:\n  - site.routes\n"),
    ("nested_too_deep", Json, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    (
        "warnings",
        Yaml,
        "server:\n  listen: ['10.9.9.9:80', '[::]:80']\n  control: { mode: '0666' }\nports:\n  - kind: af_xdp\n    interface: eth0\n    addresses: [10.0.0.1/24]\n    frames: 2048\n",
    ),
    ("nothing", Yaml, ""),
];

#[test]
fn messages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut wrong = Vec::new();
    for &(name, format, text) in CASES {
        let file = match format {
            Yaml => "site.yaml",
            Json => "site.json",
            Toml => "site.toml",
        };
        let mut shown = format!("{}\n--------\n", text.trim_end());
        match Config::parse(file, text, format, std::iter::empty()) {
            Err(found) => writeln!(shown, "{found}"),
            Ok(loaded) => loaded.warnings.iter().try_for_each(|warning| writeln!(shown, "{warning}\n")),
        }
        .unwrap();
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &shown).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&shown) {
            wrong.push(format!("{name}:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "messages changed (UPDATE=1 takes them over):\n{}", wrong.join("\n\n"));
}

#[test]
fn no_snapshot_is_left_over() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(CASES.iter().any(|(case, ..)| name == format!("{case}.txt")), "{name} belongs to no case");
    }
}

#[test]
fn files() {
    let none = || std::iter::empty();
    let missing = Config::load(Path::new("no/such/site.yaml"), none()).unwrap_err().to_string();
    assert!(
        missing.starts_with("error: the configuration file cannot be used: cannot open it: No such file")
            && missing.ends_with("--> no/such/site.yaml"),
        "{missing}"
    );
    let unknown = Config::load(Path::new("site.conf"), none()).unwrap_err().to_string();
    assert!(unknown.contains("name it .yaml, .yml, .json or .toml"), "{unknown}");
    let folder = std::env::temp_dir().join(format!("anygate-config-errors-{}.yaml", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    assert!(Config::load(&folder, none()).unwrap_err().to_string().contains("it is not a regular file"));
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, b"server: \xff\n").unwrap();
    assert!(Config::load(&folder, none()).unwrap_err().to_string().contains("it is not UTF-8: byte 8"));
    std::fs::write(&folder, vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(Config::load(&folder, none()).unwrap_err().to_string().contains("it is longer than 4 MiB"));
    std::fs::remove_file(&folder).unwrap();
}
