//! A backend with known figures, and a place for its socket.

use crate::control::{Backend, CaptureEvent, CaptureSource, ControlConfig, ControlServer};
use mgmt_api::capture::pcapng;
use mgmt_api::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A directory of its own, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("anygate-control-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    pub fn serve(&self, backend: &Arc<Fake>) -> ControlServer {
        self.serve_with(backend, |_| {})
    }

    pub fn serve_with(&self, backend: &Arc<Fake>, change: impl FnOnce(&mut ControlConfig)) -> ControlServer {
        let mut config = ControlConfig::new(self.socket());
        change(&mut config);
        ControlServer::start(config, Arc::<Fake>::clone(backend)).unwrap()
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The process behind the socket.
#[derive(Default)]
pub struct Fake {
    /// What the next reload finds wrong.
    pub diagnostics: Mutex<Vec<String>>,
    pub audit: Mutex<Vec<String>>,
    pub captures: Arc<Captures>,
}

/// What became of the captures.
#[derive(Default)]
pub struct Captures {
    pub dropped: AtomicU64,
    pub produced: AtomicU64,
    /// Sources produce without pause instead of one frame per call.
    pub flood: AtomicBool,
}

impl Fake {
    pub fn audited(&self, text: &str) -> bool {
        self.audit.lock().unwrap().iter().any(|line| line.contains(text))
    }
}

impl Backend for Fake {
    fn status(&self) -> StatusReply {
        StatusReply { product: "test".into(), pid: 42, state: ServiceState::Serving, ..StatusReply::default() }
    }

    fn ports(&self) -> PortsReply {
        PortsReply::default()
    }

    fn counters(&self) -> CountersReply {
        let row = |name: &str, values: [u64; 2]| CounterRow::new("tcp", name, "help", values.to_vec());
        CountersReply { counters: vec![row("rx_segments", [5, 6]), row("drop_checksum", [0, 0])] }
    }

    fn connections(&self, request: &ConnectionsRequest) -> Result<ConnectionsReply, ApiError> {
        Ok(ConnectionsReply { open: u64::from(request.limit), ..ConnectionsReply::default() })
    }

    fn neighbors(&self) -> Result<NeighborsReply, ApiError> {
        Err(ApiError::new(ErrorCode::Refused, "worker 1 does not answer"))
    }

    fn routes(&self) -> RoutesReply {
        // A long reply: several times what a socket buffer holds.
        let route = RouteInfo { pattern: "/x".repeat(50), ..RouteInfo::default() };
        RoutesReply { generation: 1, routes: vec![route; 10_000] }
    }

    fn explain(&self, request: &ExplainRequest) -> Result<ExplainReply, ApiError> {
        Ok(ExplainReply { path: request.url.clone(), ..ExplainReply::default() })
    }

    fn reload(&self) -> Result<ReloadReply, Vec<String>> {
        let found = std::mem::take(&mut *self.diagnostics.lock().unwrap());
        if found.is_empty() { Ok(ReloadReply { generation: 2, ..ReloadReply::default() }) } else { Err(found) }
    }

    fn drain(&self, deadline: Duration) -> Result<DrainReply, ApiError> {
        let deadline_milliseconds = u64::try_from(deadline.as_millis()).unwrap();
        Ok(DrainReply { connections: 1, deadline_milliseconds })
    }

    fn capture(&self, request: &CaptureRequest) -> Result<Box<dyn CaptureSource>, ApiError> {
        if request.interface.as_deref() == Some("none") {
            return Err(ApiError::new(ErrorCode::InvalidArgument, "there is no port `none`"));
        }
        Ok(Box::new(FakeSource { captures: Arc::clone(&self.captures), begun: false, next: 0 }))
    }

    fn audit(&self, line: &str) {
        self.audit.lock().unwrap().push(line.to_owned());
    }
}

/// Yields a section, then numbered frames of 1,000 bytes, and says that it lost 3.
struct FakeSource {
    captures: Arc<Captures>,
    begun: bool,
    next: u32,
}

impl CaptureSource for FakeSource {
    fn interfaces(&self) -> Vec<String> {
        vec!["eth0".into()]
    }

    fn next(&mut self, timeout: Duration) -> CaptureEvent {
        if !std::mem::replace(&mut self.begun, true) {
            return CaptureEvent::Blocks(section());
        }
        let count = if self.captures.flood.load(Ordering::Relaxed) { 64 } else { 1 };
        if count == 1 && self.next >= 10 {
            std::thread::sleep(timeout);
            return CaptureEvent::Idle;
        }
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.extend(frame(self.next));
            self.next += 1;
        }
        self.captures.produced.fetch_add(count, Ordering::Relaxed);
        CaptureEvent::Blocks(bytes)
    }

    fn lost(&self) -> u64 {
        3
    }
}

impl Drop for FakeSource {
    fn drop(&mut self) {
        self.captures.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &length.to_le_bytes()].concat()
}

/// The section header and one Ethernet interface.
pub fn section() -> Vec<u8> {
    let mut bytes = block(
        pcapng::SECTION_HEADER,
        &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    );
    bytes.extend(block(pcapng::INTERFACE_DESCRIPTION, &[1, 0, 0, 0, 0, 0, 1, 0]));
    bytes
}

/// A frame of 1,000 bytes that says its number.
pub fn frame(number: u32) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend_from_slice(&1000u32.to_le_bytes());
    body.extend_from_slice(&1000u32.to_le_bytes());
    body.extend_from_slice(&number.to_be_bytes());
    body.resize(20 + 1000, 0);
    block(pcapng::ENHANCED_PACKET, &body)
}

/// Waits until `done`, for at most five seconds.
pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within five seconds: {what}");
}
