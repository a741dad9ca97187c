//! A device with a worker a queue, each sleeping when idle and answering what [`super::answers`] can.

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use netstack::Instant;
use netstack::frame::RxChecksum;
use port::{Port, PortCounter, PortCounters, PortError, PortInfo};
use port_afxdp::{AfXdpConfig, AfXdpDevice, AfXdpPort};

use super::answers::answer;
use super::net::Namespace;

/// What a worker saw.
pub struct Report {
    pub info: PortInfo,
    pub counters: PortCounters,
    /// Every received packet, as it came.
    pub packets: Vec<Vec<u8>>,
    /// Times it slept.
    pub sleeps: u64,
    /// What the port says of the checksums of its packets.
    pub rx_checksum: Option<RxChecksum>,
    /// Frames that are neither free nor on a ring when the worker ended: none, or there is a leak.
    pub held_frames: usize,
}

impl Report {
    pub fn count(&self, which: PortCounter) -> u64 {
        self.counters.get(which)
    }
}

/// A running server.
pub struct Server {
    pub device: AfXdpDevice,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Report>>,
}

impl Server {
    /// Opens the device in `namespace` and starts a worker a queue.
    pub fn start(namespace: &Namespace, config: AfXdpConfig) -> Result<Server, PortError> {
        let (device, builders) = namespace.enter(|| AfXdpDevice::open(config))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, opened) = std::sync::mpsc::channel();
        let mut workers = Vec::new();
        for builder in builders {
            let (stop, ready) = (Arc::clone(&stop), ready.clone());
            workers.push(std::thread::spawn(move || {
                let port = builder.build();
                let _ = ready.send(port.as_ref().err().map(ToString::to_string));
                drop(ready);
                work(port.expect("said to the starter"), &stop)
            }));
        }
        drop(ready);
        for error in opened {
            assert_eq!(error, None, "a queue did not open");
        }
        Ok(Server { device, stop, workers })
    }

    /// Stops the workers; one report a queue, in order.
    pub fn stop(self) -> Vec<Report> {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.into_iter().map(|worker| worker.join().expect("the worker did not panic")).collect()
    }
}

fn work(mut port: AfXdpPort, stop: &AtomicBool) -> Report {
    let (mut received, mut answers, mut packets) = (Vec::new(), VecDeque::new(), Vec::new());
    let (mut sleeps, mut rx_checksum, mac) = (0, None, port.info().mac);
    while !stop.load(Ordering::Relaxed) {
        let count = port.rx_burst(Instant::ZERO, &mut received, 64);
        for mut frame in received.drain(..) {
            packets.push(frame.data().to_vec());
            rx_checksum = Some(frame.rx_checksum);
            if answer(frame.data_mut(), mac) {
                answers.push_back(frame);
            }
        }
        port.tx_burst(Instant::ZERO, &mut answers);
        if count == 0 && answers.is_empty() && port.prepare_sleep() {
            sleeps += 1;
            sleep_on(&port);
        }
    }
    let held_frames = answers.len() + received.len();
    Report { info: port.info().clone(), counters: port.counters(), packets, sleeps, rx_checksum, held_frames }
}

/// Waits until there is something to receive, but at most 100 ms, so that `stop` is seen.
pub fn sleep_on(port: &AfXdpPort) {
    let fd = port.wait_fd().expect("the port can wait").as_raw_fd();
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one live entry, and its number is given.
    unsafe { libc::poll(&mut poll, 1, 100) };
}
