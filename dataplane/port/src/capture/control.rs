//! The handle that switches captures on and off, and the reader's end of the running one.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crossbeam_queue::ArrayQueue;

use super::filter::Filter;
use crate::pcap::{Direction, Writer};

/// What a capture keeps.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// Most bytes kept of a packet.
    pub snaplen: usize,
    /// Packets that may wait for the reader.
    pub records: usize,
    /// Which packets.
    pub filter: Filter,
    /// Nanoseconds between 1970 and the workers' epoch, added to the time stamps.
    pub epoch_unix_nanos: u64,
}

impl Default for CaptureConfig {
    fn default() -> CaptureConfig {
        CaptureConfig { snaplen: 256, records: 4096, filter: Filter::all(), epoch_unix_nanos: 0 }
    }
}

/// A capture is running already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlreadyRunning;

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a capture is running already; stop that one first")
    }
}

impl std::error::Error for AlreadyRunning {}

/// One captured packet.
#[derive(Clone, Debug)]
pub struct CaptureRecord {
    /// Nanoseconds since 1970.
    pub unix_nanos: u64,
    /// Which way it went.
    pub direction: Direction,
    /// Which port saw it (a number that [`CaptureControl::register`] gave).
    pub port: u32,
    /// Length of the packet, in bytes.
    pub original_len: u32,
    /// The first bytes of it; capacity is taken once, when the capture starts.
    pub bytes: Vec<u8>,
}

/// The running capture, as workers and reader share it.
pub(super) struct Session {
    pub config: CaptureConfig,
    pub empty: ArrayQueue<CaptureRecord>,
    pub full: ArrayQueue<CaptureRecord>,
    pub lost: AtomicU64,
    stopped: AtomicBool,
}

impl Session {
    fn new(config: CaptureConfig) -> Session {
        let records = config.records.max(1);
        let empty = ArrayQueue::new(records);
        for _ in 0..records {
            let bytes = Vec::with_capacity(config.snaplen);
            let record =
                CaptureRecord { unix_nanos: 0, direction: Direction::Inbound, port: 0, original_len: 0, bytes };
            // As many as fit.
            let _ = empty.push(record);
        }
        let (lost, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
        Session { config, empty, full: ArrayQueue::new(records), lost, stopped }
    }
}

#[derive(Default)]
pub(super) struct Shared {
    /// Changes with every start and stop; what workers look at once a burst.
    pub generation: AtomicU32,
    pub session: Mutex<Option<Arc<Session>>>,
    ports: Mutex<Vec<String>>,
}

impl Shared {
    fn replace(&self, session: Option<Arc<Session>>) {
        if let Ok(mut slot) = self.session.lock() {
            if let Some(old) = slot.take() {
                old.stopped.store(true, Ordering::Release);
            }
            *slot = session;
            self.generation.fetch_add(1, Ordering::Release);
        }
    }
}

/// Switches captures on and off. One a process; clones are handles to the same.
#[derive(Clone, Default)]
pub struct CaptureControl {
    pub(super) shared: Arc<Shared>,
}

impl CaptureControl {
    /// Adds a port under `name`, and returns its number in the records.
    pub fn register(&self, name: String) -> u32 {
        let Ok(mut ports) = self.shared.ports.lock() else { return 0 };
        ports.push(name);
        (ports.len() - 1) as u32
    }

    /// The names of the ports, in the order of their numbers.
    pub fn ports(&self) -> Vec<String> {
        self.shared.ports.lock().map(|ports| ports.clone()).unwrap_or_default()
    }

    /// Starts a capture. Memory for all its records is taken here.
    pub fn start(&self, config: CaptureConfig) -> Result<CaptureStream, AlreadyRunning> {
        if self.is_running() {
            return Err(AlreadyRunning);
        }
        let session = Arc::new(Session::new(config));
        self.shared.replace(Some(session.clone()));
        Ok(CaptureStream { control: self.clone(), session })
    }

    /// Stops the running capture, if there is one; its stream ends after what was captured.
    pub fn stop(&self) {
        self.shared.replace(None);
    }

    /// True while a capture runs.
    pub fn is_running(&self) -> bool {
        self.shared.session.lock().is_ok_and(|session| session.is_some())
    }
}

/// The reader's end of a capture. Dropping it stops the capture.
pub struct CaptureStream {
    control: CaptureControl,
    session: Arc<Session>,
}

impl CaptureStream {
    /// Hands the next waiting packet to `use_record`; false when there is none now.
    pub fn next_with(&mut self, use_record: impl FnOnce(&CaptureRecord)) -> bool {
        let Some(record) = self.session.full.pop() else { return false };
        use_record(&record);
        // There is room for every record there is.
        let _ = self.session.empty.push(record);
        true
    }

    /// A pcapng writer to `out` whose interfaces are the registered ports.
    pub fn writer<W: Write>(&self, out: W) -> io::Result<Writer<W>> {
        let mut writer = Writer::new(out, "AnyGate")?;
        for name in self.control.ports() {
            writer.add_interface(&name, u32::try_from(self.session.config.snaplen).unwrap_or(0))?;
        }
        Ok(writer)
    }

    /// Writes every waiting packet and flushes; returns how many.
    pub fn write_to<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<usize> {
        let (mut written, mut result) = (0, Ok(()));
        while result.is_ok()
            && self.next_with(|record| {
                let CaptureRecord { unix_nanos, direction, port, original_len, ref bytes } = *record;
                result = writer.packet(port, unix_nanos, Some(direction), original_len, bytes);
            })
        {
            written += 1;
        }
        result?;
        if written > 0 {
            writer.flush()?;
        }
        Ok(written)
    }

    /// True when the capture was stopped and everything it kept was taken.
    pub fn is_finished(&self) -> bool {
        self.session.stopped.load(Ordering::Acquire) && self.session.full.is_empty()
    }

    /// Packets that matched and are missing because the reader was too slow.
    pub fn lost(&self) -> u64 {
        self.session.lost.load(Ordering::Relaxed)
    }
}

impl Drop for CaptureStream {
    fn drop(&mut self) {
        if !self.session.stopped.load(Ordering::Acquire) {
            self.control.stop();
        }
    }
}
