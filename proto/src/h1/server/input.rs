//! Received bytes: heads in place or gathered, bodies, and bodies that nobody reads.

use super::super::body::{BodyLimits, Piece};
use super::super::head::{self, HeaderSlots, Slots};
use super::super::lines::{FirstLine, Progress, Rules};
use super::super::{Limits, Trailers};
use super::connection::Phase;
use super::{Event, Server, Step};
use crate::{Instant, Refusal};

impl Server {
    /// `at` bytes of `data` are done with.
    #[inline]
    pub(super) fn read_head<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
        mut at: usize,
    ) -> Step<'b> {
        let HeaderSlots { in_place, gathered } = slots;
        if self.core.phase == Phase::Idle {
            let Some(&first) = data.get(at) else {
                return Step { consumed: at, event: Event::NeedMore };
            };
            if matches!(first, b'\r' | b'\n') || self.core.leading % 2 == 1 {
                match self.core.skip_empty_lines(&data[at..]) {
                    Ok(skipped) => at += skipped,
                    Err(refusal) => return self.core.refused(data, refusal),
                }
                if at == data.len() {
                    return Step { consumed: at, event: Event::NeedMore };
                }
            }
            if let Some(Ok(mut head)) = head::parse(limits, in_place, &data[at..])
                && let Ok(()) = self.core.begin_request(now, limits, &mut head)
            {
                return Step { consumed: at + head.raw_len, event: Event::Request(head) };
            }
            self.core.phase = Phase::Head;
            self.core.deadlines.begin(now);
        }
        self.gather_head(now, limits, gathered, data, at)
    }

    /// A head that is incomplete, or wrong: line by line.
    #[cold]
    fn gather_head<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut Slots<'b>,
        data: &'b [u8],
        at: usize,
    ) -> Step<'b> {
        let rules = Rules {
            first_line: FirstLine::Request,
            first_line_bytes: limits.request_line_bytes,
            field_bytes: limits.header_bytes,
            field_count: limits.header_count.min(Limits::MAX_HEADER_COUNT),
            too_many_bytes: Refusal::HeaderBytes,
        };
        let gather = self.gather.get_or_insert_default();
        let (used, progress) = gather.feed(&rules, &data[at..]);
        let consumed = at + used;
        match progress {
            Progress::More => {
                return Step { consumed, event: Event::NeedMore };
            }
            Progress::Refused(refusal) => return self.core.refused(data, refusal),
            Progress::Complete => {}
        }
        let parsed = head::parse(limits, slots, gather.bytes());
        // Every line was checked, so the head parses; if it did not, its request line would be to blame.
        let checked = parsed.unwrap_or(Err(Refusal::BadRequestLine)).and_then(|mut head| {
            self.core.begin_request(now, limits, &mut head)?;
            Ok(head)
        });
        match checked {
            Ok(head) => Step { consumed, event: Event::Request(head) },
            Err(refusal) => self.core.refused(data, refusal),
        }
    }

    pub(super) fn read_body<'b>(&'b mut self, now: Instant, limits: &Limits, data: &'b [u8]) -> Step<'b> {
        let core = &mut self.core;
        if !core.body.in_trailers() {
            self.gather = None; // the head's, if it was gathered
        }
        if !data.is_empty() {
            core.expects_continue = false;
            core.deadlines.progress(now);
        }
        let (consumed, piece) = core.body.read(&core.body_limits(limits), &mut self.gather, data);
        let event = match piece {
            Piece::More => Event::NeedMore,
            Piece::Data(length) => Event::Body(&data[consumed - length..consumed]),
            Piece::End => {
                core.phase = Phase::Answering;
                let section = self.gather.as_ref().map_or(&[][..], |gather| gather.bytes());
                Event::End { trailers: Trailers::new(section) }
            }
            Piece::Refused(refusal) => return core.refused(data, refusal),
        };
        Step { consumed, event }
    }

    /// Throws the rest of an answered request's body away, then goes on with the next head.
    #[cold]
    pub(super) fn drain<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
    ) -> Step<'b> {
        let core = &mut self.core;
        if !core.body.in_trailers() {
            self.gather = None;
        }
        if !data.is_empty() {
            core.deadlines.progress(now);
        }
        let body_limits = BodyLimits { body_bytes: limits.drain_bytes, ..core.body_limits(limits) };
        let mut at = 0;
        loop {
            let (used, piece) = core.body.read(&body_limits, &mut self.gather, &data[at..]);
            at += used;
            match piece {
                Piece::Data(_) => {}
                Piece::More => {
                    return Step { consumed: at, event: Event::NeedMore };
                }
                Piece::End => break,
                Piece::Refused(refusal) => {
                    core.close();
                    let refusal = if refusal == Refusal::BodyBytes { Refusal::DrainBytes } else { refusal };
                    return Step { consumed: data.len(), event: Event::Close(refusal) };
                }
            }
        }
        self.gather = None;
        core.await_request(now);
        self.read_head(now, limits, slots, data, at)
    }
}
