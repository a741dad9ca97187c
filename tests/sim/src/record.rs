//! A run as a pcapng file: what both sides sent, each packet with what the path did to it as its comment.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::rc::Rc;

use port::impair::Fate;
use port::pcap::{Direction, Writer};
use port::sim::WireEvent;

use crate::fault::{Fault, Invariant};
use crate::scenario::NAMES;
use crate::world::World;

/// A file that is being written; it is complete when this is dropped.
pub struct Recording(Rc<RefCell<Writer<BufWriter<File>>>>);

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.0.borrow_mut().flush();
    }
}

/// Writes everything that both sides of `world` send from now on to `path`. Each side is an interface.
pub fn observe(world: &World<'_>, path: &Path) -> Result<Recording, Fault> {
    let begin = || -> io::Result<_> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut writer = Writer::new(BufWriter::new(File::create(path)?), "anygate-sim")?;
        for name in NAMES {
            writer.add_interface(name, 0)?;
        }
        Ok(writer)
    };
    let writer = begin().map_err(|error| Invariant::SetUp.fault(format!("{}: {error}", path.display())))?;
    let writer = Rc::new(RefCell::new(writer));
    let shared = writer.clone();
    world.observe(move |event| {
        let (interface, length) = (event.from as u32, event.bytes.len() as u32);
        let (at, comment) = (event.at.as_nanos(), comment(event));
        // A recording that fails must not hide the failure that is recorded.
        let direction = Some(Direction::Outbound);
        let _ = shared.borrow_mut().packet_with_comment(interface, at, direction, length, event.bytes, &comment);
    });
    Ok(Recording(writer))
}

fn comment(event: &WireEvent<'_>) -> String {
    match event.fate {
        Fate::Carried(at) => format!("arrives at {at:?}"),
        Fate::Displaced(frames, at) => format!("overtaken by {frames}, arrives by {at:?}"),
        Fate::Duplicated(first, second) => format!("arrives at {first:?} and {second:?}"),
        Fate::TooBig { mtu, signalled } => {
            format!("exceeds the path's MTU of {mtu}{}", if signalled { ", reported" } else { "" })
        }
        other => format!("{other:?}").to_lowercase(),
    }
}
