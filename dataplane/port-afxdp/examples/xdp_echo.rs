//! Measures the AF_XDP port with nothing above it: two of these on the ends of a link.
//!
//! ```text
//! xdp_echo echo INTERFACE ADDRESS [SECONDS] [generic] [busy-poll]   swaps the MAC addresses and sends back
//! xdp_echo drop INTERFACE ADDRESS …                                 receives and drops
//! xdp_echo send INTERFACE ADDRESS …                                 sends 64-byte UDP packets to ADDRESS, counts answers
//! ```
//!
//! All TCP and UDP to ADDRESS is redirected on every side (an echo has the addresses of its request). Prints frames
//! a second, and at the end the counters that moved.

#![allow(clippy::disallowed_methods, reason = "a measuring tool reads the clock")]

use std::collections::VecDeque;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use port::{Port, PortCounter};
use port_afxdp::{AfXdpConfig, AfXdpDevice, AfXdpPort, BusyPoll, LocalAddress, XdpMode};

const BURST: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, interface, address, rest @ ..] = arguments.as_slice() else {
        return Err("usage: xdp_echo echo|drop|send INTERFACE ADDRESS [SECONDS] [generic] [busy-poll]".into());
    };
    let address: Ipv4Addr = address.parse()?;
    let seconds = rest.iter().find_map(|word| word.parse().ok()).unwrap_or(5);
    let mut config = AfXdpConfig::new(interface);
    config.queues = Some(1);
    config.addresses = vec![LocalAddress { answer_arp: false, ..LocalAddress::exclusive(IpAddr::V4(address)) }];
    if rest.iter().any(|word| word == "generic") {
        config.mode = XdpMode::Generic;
    }
    if rest.iter().any(|word| word == "busy-poll") {
        config.busy_poll = Some(BusyPoll::default());
    }
    let (device, builders) = AfXdpDevice::open(config)?;
    device.notes().iter().for_each(|note| eprintln!("{note}"));
    let builder = builders.into_iter().next().ok_or("the device has no queue")?;
    let mut port = builder.build()?;
    let info = port.info();
    println!(
        "{role} on {}: {}, zero-copy {}, huge pages {}",
        info.interface,
        info.mode,
        info.zero_copy,
        port.on_huge_pages()
    );
    run(&mut port, role, address, Duration::from_secs(seconds));
    let counters = port.counters();
    for (counter, value) in counters.iter().filter(|(_, value)| *value > 0) {
        println!("  {:<24} {value}", counter.name());
    }
    Ok(())
}

fn run(port: &mut AfXdpPort, role: &str, address: Ipv4Addr, duration: Duration) {
    let request = request(address);
    let (mut received, mut queue) = (Vec::with_capacity(BURST), VecDeque::with_capacity(2 * BURST));
    let (start, mut second, mut shown) = (Instant::now(), Instant::now(), (0, 0));
    loop {
        for _ in 0..256 {
            port.rx_burst(netstack::Instant::ZERO, &mut received, BURST);
            match role {
                "echo" => queue.extend(received.drain(..).map(|mut frame| {
                    swap_macs(frame.data_mut());
                    frame
                })),
                "send" => {
                    received.clear();
                    let wanted = BURST.saturating_sub(queue.len());
                    for _ in 0..wanted {
                        let Some(mut frame) = port.pool().alloc() else { break };
                        if let Some(room) = frame.extend(request.len()) {
                            room.copy_from_slice(&request);
                        }
                        queue.push_back(frame);
                    }
                }
                _ => received.clear(),
            }
            port.tx_burst(netstack::Instant::ZERO, &mut queue);
        }
        if second.elapsed() >= Duration::from_secs(1) {
            let now = moved(port);
            let rate = |count: u64| count as f64 / second.elapsed().as_secs_f64() / 1e6;
            println!("tx {:.3} Mpps, rx {:.3} Mpps", rate(now.0 - shown.0), rate(now.1 - shown.1));
            (second, shown) = (Instant::now(), now);
        }
        if start.elapsed() >= duration {
            return;
        }
    }
}

/// Frames sent and received so far.
fn moved(port: &AfXdpPort) -> (u64, u64) {
    let counters = port.counters();
    (counters.get(PortCounter::TxFrames), counters.get(PortCounter::RxFrames))
}

fn swap_macs(frame: &mut [u8]) {
    if let Some((to, from)) = frame.get_mut(..12).map(|macs| macs.split_at_mut(6)) {
        to.swap_with_slice(from);
    }
}

/// A UDP packet to `address`, 64 bytes with the frame check sequence that a wire would add.
fn request(address: Ipv4Addr) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 255, 255, 1];
    ip.extend_from_slice(&address.octets());
    let checksum = netstack::ip::checksum::of(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let udp = [0x30, 0x39, 0, 7, 0, 26, 0, 0];
    [&ethernet[..], &ip, &udp, &[0; 18]].concat()
}
