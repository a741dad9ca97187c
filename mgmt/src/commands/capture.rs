//! `mgmt capture`: pcapng from the socket to a file or a pipe.

use super::Session;
use crate::cli::CaptureArgs;
use crate::exit::Failure;
use crate::text::{count, milliseconds, printable};
use mgmt_api::capture::pcapng::Meter;
use mgmt_api::{CaptureRequest, CaptureStream};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long the server may take to end in order after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is taken from the socket at once, and written and flushed before more is taken.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) fn run(session: &Session, args: &CaptureArgs) -> Result<(), Failure> {
    let target = Target::choose(args.write.as_deref())?;
    let request = CaptureRequest {
        interface: args.interface.clone(),
        worker: args.worker,
        filter: args.filter.clone(),
        snaplen_bytes: args.snaplen,
        direction: args.direction.into(),
        max_packets: args.count,
        max_bytes: args.bytes,
        max_milliseconds: args.seconds.map(milliseconds),
    };
    let (reply, stream) = session.connect()?.capture(&request)?;
    let mut out = target.open()?;
    let name = target.name();
    stop_on_signals(&stream).map_err(Failure::output("watch for Ctrl-C"))?;
    say(&format!("mgmt: capturing on {} to {name}, Ctrl-C ends", printable(&reply.interfaces.join(", "))));
    let mut meter = Meter::default();
    let result = copy(stream, &mut out, &mut meter);
    say(&if session.json { json_summary(&meter) } else { format!("mgmt: {}", summary(&meter)) });
    result.map_err(Failure::output(format!("write {name}")))
}

/// Where the bytes go.
enum Target<'a> {
    Standard,
    File(&'a Path),
}

impl Target<'_> {
    fn choose(write: Option<&Path>) -> Result<Target<'_>, Failure> {
        if let Some(path) = write.filter(|path| *path != Path::new("-")) {
            return Ok(Target::File(path));
        }
        if io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "a capture is binary and would spoil the terminal; use -w FILE, or -w - with a pipe:\n  \
                 mgmt capture -w - | tcpdump -n -r -"
                    .to_owned(),
            ));
        }
        Ok(Target::Standard)
    }

    fn name(&self) -> String {
        match self {
            Target::Standard => "standard output".to_owned(),
            Target::File(path) => path.display().to_string(),
        }
    }

    /// Only the user may read what was captured.
    fn open(&self) -> Result<Box<dyn Write>, Failure> {
        match self {
            Target::Standard => {
                // Standard output through its descriptor: the library's buffer waits for line ends.
                let own = rustix::io::dup(io::stdout())
                    .map_err(|error| Failure::output("use standard output")(error.into()))?;
                Ok(Box::new(File::from(own)))
            }
            Target::File(path) => {
                let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
                Ok(Box::new(opened.map_err(Failure::output(format!("open {}", path.display())))?))
            }
        }
    }
}

/// Copies until the server ends the stream; each piece is with the reader before the next is taken.
fn copy(mut stream: CaptureStream, out: &mut impl Write, meter: &mut Meter) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let taken = match stream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        out.write_all(&piece[..taken])?;
        meter.feed(&piece[..taken]);
    }
}

/// The first Ctrl-C (or SIGTERM) asks the server to end in order; after [`PATIENCE`], or with the second one, the
/// stream is cut.
#[allow(clippy::disallowed_methods, reason = "a thread that only waits")]
fn stop_on_signals(stream: &CaptureStream) -> io::Result<()> {
    let stopper = stream.stopper()?;
    let late = stream.stopper()?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        let mut arriving = signals.forever();
        // Neither can fail in a way that matters: a stream that is already closed has ended.
        if arriving.next().is_some() {
            let _ = stopper.stop();
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                let _ = late.abort();
            });
        }
        if arriving.next().is_some() {
            let _ = stopper.abort();
        }
    });
    Ok(())
}

/// A note on standard error; a capture goes on when nobody reads them.
fn say(note: &str) {
    let _ = writeln!(io::stderr(), "{note}");
}

fn json_summary(meter: &Meter) -> String {
    serde_json::json!({ "packets": meter.packets(), "bytes": meter.bytes(), "lost": meter.lost() }).to_string()
}

fn summary(meter: &Meter) -> String {
    let mut text = format!("{}, {}", count(meter.packets(), "frame"), count(meter.bytes(), "byte"));
    match meter.lost() {
        0 => text.push_str(", none lost"),
        lost => text.push_str(&format!(", {} lost because they were not read fast enough", count(lost, "frame"))),
    }
    text
}
