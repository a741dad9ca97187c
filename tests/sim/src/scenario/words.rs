//! A scenario in words, for the report of a failure.

use core::fmt::{self, Display, Formatter};

use super::{CLIENT, Job, NAMES, Open, Pace, SERVER, Scenario, Talk, knobs};

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "network: {}", knobs::words(knobs::NETWORK, &self.network))?;
        for side in [CLIENT, SERVER] {
            writeln!(f, "path from {}: {}", NAMES[side], knobs::words(knobs::LINK, &self.links[side]))?;
        }
        for side in [CLIENT, SERVER] {
            writeln!(f, "TCP of {}: {}", NAMES[side], knobs::words(knobs::TCP, &self.tcp[side]))?;
        }
        if let Some((out, back)) = self.unplugged {
            writeln!(f, "cable out from {out:?} to {back:?}")?;
        }
        if !self.reloads.is_empty() {
            writeln!(f, "listener made anew at {:?}", self.reloads)?;
        }
        if self.backlog < 4_096 {
            writeln!(f, "backlog of {}", self.backlog)?;
        }
        if self.fast_open {
            writeln!(f, "Fast Open")?;
        }
        for (number, liar) in self.liars.iter().enumerate() {
            writeln!(f, "liar {number}: {liar}")?;
        }
        for (number, job) in self.jobs.iter().enumerate() {
            writeln!(f, "job {number}: {job}")?;
        }
        Ok(())
    }
}

impl Display for Job {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?} ", self.start)?;
        match (self.open, self.port_of) {
            (Open::Both, _) => f.write_str("both open, ")?,
            (Open::Client, Some(earlier)) => write!(f, "client opens from the port of job {earlier}, ")?,
            (Open::Client, None) => {}
        }
        write!(f, "{} bytes up, {} down, ", self.bytes[CLIENT], self.bytes[SERVER])?;
        match self.talk {
            Talk::Streams => f.write_str("at once")?,
            Talk::Exchanges(rounds) => write!(f, "in {rounds} exchanges")?,
        }
        for side in [CLIENT, SERVER] {
            for (verb, pace) in [("reads", self.read[side]), ("writes", self.write[side])] {
                if pace != Pace::FREE {
                    write!(f, ", {} {verb} {pace}", NAMES[side])?;
                }
            }
        }
        if let Some(side) = self.closes_last {
            write!(f, ", {} closes last", NAMES[side])?;
        }
        if let Some((side, bytes)) = self.abort {
            write!(f, ", {} aborts after {bytes} bytes", NAMES[side])?;
        }
        let options = knobs::words(knobs::OPTIONS, &self.options);
        if options != "as by default" {
            write!(f, ", {options}")?;
        }
        Ok(())
    }
}

impl Display for Pace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.from.is_zero() {
            write!(f, "after {:?} ", self.from)?;
        }
        if self.bytes < u64::MAX {
            write!(f, "{} bytes each {:?}", self.bytes, self.pause)?;
        }
        Ok(())
    }
}
