//! From a request head to an answer: route, action, and what is counted on the way.

use super::counters::{HttpCounter, HttpCounters};
use crate::snapshot::Snapshot;
use actions::{Answers, DateStamp, EchoDraft, Request, Response, Variant};
use bytes::Bytes;
use netstack::tcp::CongestionKind;
use proto::{Refusal, RequestHead, Version};
use router::{Found, Params};
use std::net::{Ipv4Addr, SocketAddr};

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Decision {
    /// The whole answer.
    Answer(Bytes),
    /// An answer that needs the body first.
    AwaitBody(EchoInProgress),
}

/// An echo that still reads the request's body.
#[derive(Debug)]
pub(super) struct EchoInProgress {
    draft: Box<EchoDraft>,
    version: Version,
    head_request: bool,
    status: u16,
}

impl EchoInProgress {
    /// Takes the next bytes of the body.
    pub fn collect(&mut self, bytes: &[u8]) {
        self.draft.push_body(bytes);
    }
}

/// Routes and answers for one worker; owns what can be used again from request to request.
#[derive(Debug)]
pub(super) struct Responder {
    answers: Answers,
    params: Params,
    stamp: DateStamp,
}

impl Responder {
    pub fn new(snapshot: &Snapshot, unix_seconds: u64) -> Responder {
        Responder {
            answers: Answers::new(snapshot.actions.clone()),
            params: Params::new(),
            stamp: DateStamp::from_unix(unix_seconds),
        }
    }

    /// Takes up another snapshot.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        self.answers = Answers::new(snapshot.actions.clone());
    }

    /// The date of answers from now on.
    pub fn set_date(&mut self, unix_seconds: u64) {
        if self.stamp.second != unix_seconds {
            self.stamp = DateStamp::from_unix(unix_seconds);
        }
    }

    /// Finds the rule and begins, or completes, its answer. `keep`: whether the connection persists. Beside it the
    /// congestion controller that the rule asks for.
    #[inline]
    pub fn decide(
        &mut self,
        snapshot: &Snapshot,
        head: &RequestHead<'_>,
        peer: impl FnOnce() -> Option<SocketAddr>,
        keep: bool,
        counts: &mut HttpCounters,
    ) -> (Decision, Option<CongestionKind>) {
        let method = router::Method::from_token(head.method_token.as_bytes());
        let host = if snapshot.router.has_hosts() { head.host() } else { None };
        let found = snapshot.router.find(method, host, head.target.path, &mut self.params);
        let mut congestion = None;
        if let Found::Rule(rule) = found {
            congestion = snapshot.congestion_of(rule);
            if let Some(bytes) = self.answers.prebuilt(rule, Variant::of(head, keep), &self.stamp) {
                count_status(snapshot.actions.status_of(&found).code(), counts);
                return (Decision::Answer(bytes), congestion);
            }
        }
        let peer = peer().unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        (self.decide_by_request(snapshot, found, &Request { head, peer }, keep, counts), congestion)
    }

    /// Answers that depend on more of the request than its rule, and refusals.
    fn decide_by_request(
        &mut self,
        snapshot: &Snapshot,
        found: Found,
        request: &Request<'_>,
        keep: bool,
        counts: &mut HttpCounters,
    ) -> Decision {
        if let Some(reason) = snapshot.actions.reason_of(&found) {
            counts.reasons.bump(reason);
        }
        let status = snapshot.actions.status_of(&found).code();
        match self.answers.respond(found, &self.params, request, keep, &self.stamp) {
            Response::Ready(bytes) => {
                count_status(status, counts);
                Decision::Answer(bytes)
            }
            Response::AwaitBody(draft) => Decision::AwaitBody(EchoInProgress {
                draft,
                version: request.head.version,
                head_request: request.head.method == proto::Method::Head,
                status,
            }),
        }
    }

    /// The answer of an echo whose request is complete.
    pub fn finish(&mut self, echo: EchoInProgress, keep: bool, counts: &mut HttpCounters) -> Bytes {
        count_status(echo.status, counts);
        let variant = Variant { version: echo.version, keep_alive: keep, head_request: echo.head_request };
        echo.draft.finish(variant, &self.stamp)
    }

    /// The answer to a message that could not be understood.
    pub fn refusal(&mut self, refusal: Refusal, counts: &mut HttpCounters) -> Bytes {
        count_status(refusal.status().code(), counts);
        self.answers.refuse_message(refusal, &self.stamp)
    }
}

#[inline]
fn count_status(status: u16, counts: &mut HttpCounters) {
    let counts = &mut counts.events;
    match status / 100 {
        2 => counts.bump(HttpCounter::Answers2xx),
        3 => counts.bump(HttpCounter::Answers3xx),
        4 => counts.bump(HttpCounter::Answers4xx),
        _ => counts.bump(HttpCounter::Answers5xx),
    }
}
