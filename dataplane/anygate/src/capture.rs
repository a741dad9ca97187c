//! From the ports' capture ring to the control socket: pcapng, filtered as the operator asked.

use crate::control::{CaptureEvent, CaptureSource};
use mgmt_api::CaptureRequest;
use port::capture::{CaptureConfig, CaptureControl, CaptureStream, Filter};
use port::pcap::{Direction, Writer};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Packets that may wait for the reader, at most.
const RECORDS: usize = 4096;
/// Memory for waiting packets: long packets make the ring shorter.
const RECORD_BYTES: usize = 16 << 20;
/// How often an empty ring is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What the pcapng writer writes to, and the session takes from.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A running capture.
pub struct Source {
    stream: CaptureStream,
    writer: Writer<Buffer>,
    buffer: Buffer,
    request: CaptureRequest,
    /// Names of the registered ports that are asked for, by number.
    wanted: Vec<Option<String>>,
}

impl Source {
    /// Starts a capture; the text says why not.
    pub fn start(control: &CaptureControl, request: &CaptureRequest, epoch_unix_nanos: u64) -> Result<Source, String> {
        let snaplen = (request.snaplen_bytes as usize).clamp(1, 65_535);
        let config = CaptureConfig {
            snaplen,
            records: (RECORD_BYTES / snaplen).clamp(64, RECORDS),
            filter: Filter::all(),
            epoch_unix_nanos,
        };
        let wanted: Vec<Option<String>> = control
            .ports()
            .into_iter()
            .zip(0u32..)
            .map(|(name, number)| {
                let interface = name.rsplit_once(':').map_or(name.as_str(), |(interface, _)| interface);
                let fits = request.interface.as_deref().is_none_or(|asked| asked == interface)
                    && request.worker.is_none_or(|worker| worker == number);
                fits.then(|| interface.to_owned())
            })
            .collect();
        if wanted.iter().all(Option::is_none) {
            return Err(format!("no such port; there are: {}", control.ports().join(", ")));
        }
        let stream = control.start(config).map_err(|error| error.to_string())?;
        let buffer = Buffer::default();
        let writer = stream.writer(buffer.clone()).map_err(|error| error.to_string())?;
        Ok(Source { stream, writer, buffer, request: request.clone(), wanted })
    }

    /// Writes every waiting packet that is asked for.
    fn collect(&mut self) -> io::Result<()> {
        let Source { stream, writer, request, wanted, .. } = self;
        let mut result = Ok(());
        let mut budget = RECORDS;
        while budget > 0
            && result.is_ok()
            && stream.next_with(|record| {
                let way = match record.direction {
                    Direction::Inbound => request.direction.has_receive(),
                    Direction::Outbound => request.direction.has_transmit(),
                };
                let port = wanted.get(record.port as usize).is_some_and(Option::is_some);
                if way && port && request.filter.matches(&record.bytes) {
                    let way = Some(record.direction);
                    result = writer.packet(record.port, record.unix_nanos, way, record.original_len, &record.bytes);
                }
            })
        {
            budget -= 1;
        }
        result
    }
}

impl CaptureSource for Source {
    fn interfaces(&self) -> Vec<String> {
        let mut names: Vec<String> = self.wanted.iter().flatten().cloned().collect();
        names.dedup();
        names
    }

    fn next(&mut self, timeout: Duration) -> CaptureEvent {
        let mut waited = Duration::ZERO;
        loop {
            if self.collect().is_err() {
                return CaptureEvent::Ended;
            }
            let bytes = self.buffer.take();
            if !bytes.is_empty() {
                return CaptureEvent::Blocks(bytes);
            }
            if self.stream.is_finished() {
                return CaptureEvent::Ended;
            }
            if waited >= timeout {
                return CaptureEvent::Idle;
            }
            #[allow(clippy::disallowed_methods, reason = "a control thread that waits for packets")]
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
    }

    fn lost(&self) -> u64 {
        self.stream.lost()
    }
}
