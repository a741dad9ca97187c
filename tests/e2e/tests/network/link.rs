//! What happens below TCP: neighbours and pings on a tap, and what stays the kernel's on AF_XDP.

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Mode, Server, Wire, run};
use mgmt_api::NeighborsRequest;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn ping(lab: &Lab, to: IpAddr, size: &str) {
    let mut ping = lab.client().command("ping");
    let said = run(ping.args(["-c", "3", "-i", "0.2", "-W", "2", "-s", size, &to.to_string()])).success();
    assert!(said.contains(" 0% packet loss"), "{said}");
}

#[test]
fn a_tap_answers_arp_ndp_and_pings() {
    let Some(lab) = Lab::with_programs(Wire::Tap, &["ping"]) else { return };
    let server = Server::start(&lab, "", ROUTES);
    for to in lab.addresses(80) {
        ping(&lab, to.ip(), "56");
        let neighbours = lab.client().sh("ip neigh show");
        let line = neighbours.lines().find(|line| line.starts_with(&format!("{} ", to.ip()))).unwrap_or_default();
        assert!(line.contains("lladdr"), "{neighbours}");
    }
    let known = server.ask(&NeighborsRequest {}).neighbors;
    for address in ["10.77.0.2", "fd77::2"] {
        assert!(known.iter().any(|row| row.address.to_string() == address && row.mac.is_some()), "{known:?}");
    }
    // Nobody else's address is answered for.
    let mut wrong = lab.client().command("ping");
    assert_ne!(run(wrong.args(["-c", "1", "-W", "1", "10.77.0.77"])).code, Some(0));
}

#[test]
fn a_tap_puts_fragments_together() {
    let Some(lab) = Lab::with_programs(Wire::Tap, &["ping"]) else { return };
    let server = Server::start(&lab, "", ROUTES);
    // The kernel cuts what it sends; the answer fits the interface's own MTU.
    lab.client().sh("ip route replace 10.77.0.0/24 dev ag0 mtu 600; ip -6 route replace fd77::/64 dev ag0 mtu 1280");
    lab.addresses(80).into_iter().for_each(|to| ping(&lab, to.ip(), "1400"));
    // An answer that would need fragments is not given, and that is counted by its name.
    let mut large = lab.client().command("ping");
    assert_eq!(run(large.args(["-c", "1", "-W", "1", "-s", "4000", "10.77.0.1"])).code, Some(1));
    server.expect_counter("ip", "drop_echo_too_big", 1);
}

/// A listener of the kernel's on AnyGate's interface, as SSH would be; answers each connection with what it was sent.
fn kernel_service(lab: &Lab, port: u16) {
    for address in lab.addresses(port) {
        let listener = lab.server().enter(|| TcpListener::bind(address)).expect("a free port");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut line = [0; 5];
                if stream.read_exact(&mut line).is_ok() {
                    let _ = stream.write_all(&line);
                }
            }
        });
    }
}

fn ask_kernel_service(to: SocketAddr) {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).expect("the kernel listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.write_all(b"hello").expect("it is open");
    let mut back = [0; 5];
    stream.read_exact(&mut back).expect("an answer");
    assert_eq!(&back, b"hello");
}

fn others_reach_the_kernel(mode: Mode) {
    let Some(lab) = Lab::with_programs(Wire::AfXdp { mode, queues: 2 }, &["ping"]) else { return };
    kernel_service(&lab, 22);
    let _server = Server::start(&lab, "", ROUTES);
    lab.client().enter(|| {
        for _ in 0..10 {
            lab.addresses(22).into_iter().for_each(ask_kernel_service);
            for to in lab.addresses(80) {
                let mut connection = Connection::open(to).expect("it listens");
                CASES[0].check(&connection.exchange(&CASES[0].request()).expect("an answer"));
            }
        }
    });
    lab.addresses(0).into_iter().for_each(|to| ping(&lab, to.ip(), "56"));
    // A port that nobody has is refused, by the kernel.
    let refused = lab.client().enter(|| TcpStream::connect_timeout(&lab.addresses(81)[0], Duration::from_secs(5)));
    assert_eq!(refused.map_err(|error| error.kind()).err(), Some(std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn other_ports_of_the_interface_reach_the_kernel_in_native_mode() {
    others_reach_the_kernel(Mode::Native);
}

#[test]
fn other_ports_of_the_interface_reach_the_kernel_in_generic_mode() {
    others_reach_the_kernel(Mode::Generic);
}

/// A virtual link as Linux makes it: checksums are left out and segments are joined, since nobody on the way needs them.
fn default_offloads(mode: Mode) {
    let Some(lab) = Lab::new(Wire::AfXdp { mode, queues: 1 }) else { return };
    lab.client().sh("ethtool -K peer0 tx on tso on gso on > /dev/null");
    let server = Server::start(&lab, "", ROUTES);
    let body = "0123456789".repeat(6_000);
    let upload = format!("POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for to in lab.addresses(80) {
        let mut connection = lab.client().enter(|| Connection::open(to)).expect("it listens");
        for _ in 0..20 {
            CASES.iter().for_each(|case| case.check(&connection.exchange(&case.request()).expect("an answer")));
            let told = connection.exchange(upload.as_bytes()).expect("an answer");
            assert!(told.status == 200 && String::from_utf8_lossy(&told.body).contains(&body));
        }
    }
    assert_eq!(server.counter("tcp", "drop_checksum"), 0);
}

#[test]
fn the_default_offloads_of_a_virtual_link_do_no_harm_in_native_mode() {
    default_offloads(Mode::Native);
}

#[test]
fn the_default_offloads_of_a_virtual_link_do_no_harm_in_generic_mode() {
    default_offloads(Mode::Generic);
}
