//! Overrides from the environment.

use std::time::Duration;

use config::{Config, Diagnostics, Format, Loaded, PortConfig, Queues, Workers};

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
    Config::parse(
        "site.yaml",
        text,
        Format::Yaml,
        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())),
    )
}

#[test]
fn values_are_set() {
    let text = "server:\n  listen: ':80'\nports:\n  - kind: af_xdp\n    interface: eth0\nroutes:\n  /x: OK\n";
    let variables = [
        ("ANYGATE_SERVER__LISTEN", "10.0.0.1:80, [::]:8080"),
        ("ANYGATE_SERVER__TIMEOUTS__IDLE", "5m"),
        ("ANYGATE_SERVER__WORKERS", "3"),
        ("ANYGATE_SERVER__TCP__KEEP_ALIVE", "off"),
        ("ANYGATE_PORTS__0__INTERFACE", "eth7"),
        ("ANYGATE_PORTS__0__QUEUES", "0,1"),
        ("ANYGATE_PORTS__0__ANSWER_ECHO", "true"),
        ("ANYGATE_LOG", "debug"),
        ("PATH", "/bin"),
    ];
    let config = with(text, &variables).unwrap_or_else(|wrong| panic!("{wrong}")).config;
    assert_eq!(config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1:80", "[::]:8080"]);
    assert_eq!(config.server.timeouts.idle, Duration::from_secs(300));
    assert_eq!(config.server.workers, Workers::Count(3));
    assert_eq!(config.server.tcp.keep_alive, None);
    let PortConfig::AfXdp(port) = &config.ports[0] else { panic!("an AF_XDP port") };
    assert_eq!((port.interface.0.as_str(), port.answer_echo, &port.queues), ("eth7", true, &Queues::List(vec![0, 1])));
}

#[test]
fn routes_can_come_from_the_environment() {
    let config = with("", &[("ANYGATE_ROUTES", "GET /x: OK\n/y: *")]).unwrap().config;
    assert_eq!(config.routes.routes.len(), 2);
    assert_eq!(config.routes.routes[1].at().to_string(), "environment variable ANYGATE_ROUTES:2:1");
}

#[test]
fn errors_name_the_variable() {
    let shown =
        |variables: &[(&str, &str)]| with("ports: []\nserver: { workers: 2 }", variables).unwrap_err().to_string();
    let value = shown(&[("ANYGATE_SERVER__TIMEOUTS__IDLE", "soon")]);
    assert!(
        value.contains("--> environment variable ANYGATE_SERVER__TIMEOUTS__IDLE:1:1") && value.contains("1 | soon"),
        "{value}"
    );
    let key = shown(&[("ANYGATE_SERVER__LISEN", ":80")]);
    assert!(key.contains("ANYGATE_SERVER__LISEN:1:17") && key.contains("did you mean `listen`?"), "{key}");
    let section = shown(&[("ANYGATE_SERVR__LISTEN", ":80")]);
    assert!(section.contains("did you mean `ANYGATE_SERVER…`?"), "{section}");
    let index = shown(&[("ANYGATE_PORTS__0__INTERFACE", "eth0")]);
    assert!(index.contains("`0` is no index of this list of 0"), "{index}");
    let below = shown(&[("ANYGATE_SERVER__WORKERS__X", "1")]);
    assert!(below.contains("there is nothing below it to set: the file has `2` there"), "{below}");
    let item = shown(&[("ANYGATE_SERVER__LISTEN", ":80, nonsense")]);
    assert!(item.contains("ANYGATE_SERVER__LISTEN:1:6") && item.contains("     ^^^^^^^^"), "{item}");
}
