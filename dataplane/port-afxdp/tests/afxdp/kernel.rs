//! Linux as the peer: what a kernel socket in the client's namespace sees.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::common::net::Namespace;

const PATIENCE: Duration = Duration::from_secs(2);

/// A UDP socket in `namespace`, connected to `to`.
pub fn udp(namespace: &Namespace, to: SocketAddr) -> UdpSocket {
    namespace.enter(|| {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.connect(to).expect("a route");
        socket
    })
}

/// Sends `payload` to `to` and returns the answer.
pub fn ask(namespace: &Namespace, to: (IpAddr, u16), payload: &[u8]) -> io::Result<Vec<u8>> {
    let socket = udp(namespace, to.into());
    socket.send(payload)?;
    let mut answer = vec![0; 65_536];
    let len = socket.recv(&mut answer)?;
    answer.truncate(len);
    Ok(answer)
}

/// True when `to` accepts a TCP connection from `namespace`.
pub fn connects(namespace: &Namespace, to: (IpAddr, u16)) -> bool {
    namespace.enter(|| TcpStream::connect_timeout(&to.into(), PATIENCE).is_ok())
}

/// A listener in `namespace`; the kernel's backlog accepts.
pub fn listen(namespace: &Namespace, at: (IpAddr, u16)) -> TcpListener {
    namespace.enter(|| TcpListener::bind(SocketAddr::from(at)).expect("a free port"))
}

/// True when `to` answers a ping from `namespace`.
pub fn pings(namespace: &Namespace, to: IpAddr) -> bool {
    namespace.exec(&format!("ping -n -c 1 -W 2 {to}")).status.success()
}
