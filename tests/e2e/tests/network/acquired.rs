//! Addresses that AnyGate acquires from a DHCP server and a router, both of them dnsmasq at the other end of a tap.

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Server, Wire, run, wait_until};
use mgmt_api::{AddressStatus, PortStatus, PortsRequest};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Leases for two minutes (the shortest it has) and advertisements of the kernel's own prefix.
const DNSMASQ: &str = "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --no-ping --log-dhcp \
    --log-facility=- --interface=ag0 --bind-dynamic --dhcp-authoritative --enable-ra \
    --dhcp-range=10.77.0.50,10.77.0.60,255.255.255.0,2m --dhcp-range=::,constructor:ag0,ra-only \
    --dhcp-option=option:mtu,1400 --dhcp-option=option:router,10.77.0.2";

struct Dnsmasq(Child);

impl Dnsmasq {
    fn start(lab: &Lab) -> Dnsmasq {
        let (leases, log) = (lab.file("leases"), lab.file("dnsmasq.log"));
        let out = std::fs::File::create(log).expect("a log file");
        let mut command = lab.client().command("sh");
        let line = format!("exec {DNSMASQ} --pid-file= --dhcp-leasefile={}", leases.display());
        command.args(["-c", &line]).stdin(Stdio::null());
        command.stderr(out.try_clone().expect("a log file")).stdout(out);
        Dnsmasq(command.spawn().expect("dnsmasq starts"))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn port(server: &Server) -> PortStatus {
    server.ask(&PortsRequest {}).ports.swap_remove(0)
}

fn acquired<'a>(port: &'a PortStatus, origin: &str) -> Option<&'a AddressStatus> {
    port.address_states.iter().find(|own| own.origin == origin && own.state == "preferred")
}

fn serves_at_acquired_addresses(queues: u32) {
    let Some(lab) = Lab::with_programs(Wire::TapAcquiring { queues }, &["dnsmasq", "ping", "curl"]) else { return };
    let server = Server::start(&lab, "", ROUTES);
    let _dnsmasq = Dnsmasq::start(&lab);
    // The lease is probed for some seconds before it is used; routers are solicited with a back-off.
    wait_until("a lease and a prefix", Duration::from_secs(45), || {
        let port = port(&server);
        acquired(&port, "dhcp").is_some() && acquired(&port, "slaac").is_some()
    });
    let port = port(&server);
    assert_eq!(port.dhcp, "BOUND");
    for origin in ["dhcp", "slaac"] {
        let own = acquired(&port, origin).expect("it was there");
        // The kernel's own address, and with it the prefix that dnsmasq advertises, lasts for ever.
        assert_eq!(own.valid_seconds.is_some(), origin == "dhcp", "{own:?}");
        let address = own.address.split('/').next().and_then(|text| text.parse::<IpAddr>().ok()).expect("an address");
        let mut ping = lab.client().command("ping");
        run(ping.args(["-c", "2", "-i", "0.2", "-W", "2", &address.to_string()])).success();
        let to = SocketAddr::new(address, 80);
        let mut curl = lab.client().command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", &format!("http://{to}{}", CASES[0].path)]);
        run(curl.args(["--request", CASES[0].method])).success();
        // Every worker listens there, whichever queue the connection comes to.
        for _ in 0..8 * queues {
            let mut connection = lab.client().enter(|| Connection::open(to)).expect("it listens");
            CASES[0].check(&connection.exchange(&CASES[0].request()).expect("an answer"));
        }
    }
    let origins: Vec<&str> = port.routers.iter().map(|router| router.origin.as_str()).collect();
    assert!(origins.contains(&"dhcp") && origins.contains(&"advertised"), "{:?}", port.routers);
    let leases = std::fs::read_to_string(lab.file("leases")).expect("dnsmasq's leases");
    assert!(leases.contains(&port.mac.to_string()), "{leases}");
    for broken in ["drop_dhcp_malformed", "drop_ndp_malformed", "drop_router_option", "drop_udp_checksum"] {
        assert_eq!(server.counter("ip", broken), 0, "{broken}");
    }
    let shown = server.run_mgmt(&["ports"]).success();
    assert!(shown.contains("dhcp bound") && shown.contains("slaac"), "{shown}");
}

#[test]
fn a_tap_serves_at_the_addresses_that_it_acquires() {
    serves_at_acquired_addresses(1);
}

#[test]
fn every_worker_of_a_tap_serves_at_the_addresses_that_it_acquires() {
    serves_at_acquired_addresses(2);
}
