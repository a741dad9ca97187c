//! A worker's finished answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use proto::{HttpDate, RequestHead};
use router::{Found, MethodSet, Params, RuleId};

use crate::action::{Action, Actions};
use crate::echo::EchoDraft;
use crate::prebuilt::{Prebuilt, Slot, Variant};
use crate::reason::Reason;

/// The date of answers; made once a second by the owner of the clock.
#[derive(Clone, Copy, Debug)]
pub struct DateStamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub second: u64,
    /// The same, as a field value.
    pub date: HttpDate,
}

impl DateStamp {
    /// The stamp of a second since 1970-01-01T00:00:00Z.
    pub fn from_unix(second: u64) -> DateStamp {
        DateStamp { second, date: HttpDate::from_unix(second) }
    }
}

/// A request as actions see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its head.
    pub head: &'a RequestHead<'a>,
    /// Who sent it.
    pub peer: SocketAddr,
}

/// What an action comes to.
#[derive(Debug)]
pub enum Response {
    /// The whole answer.
    Ready(Bytes),
    /// The answer needs the body of the request: push it as it comes, then finish.
    AwaitBody(Box<EchoDraft>),
}

type Variants = Box<[Slot; Variant::COUNT]>;

/// The finished answers of one worker: for each action that was ever used, its answer in each variant with the date of
/// the second in which it was last sent.
///
/// Holds the actions themselves, so that answers of one configuration are never taken for those of another: a worker
/// makes a new one when it takes up a new configuration.
#[derive(Debug)]
pub struct Answers {
    actions: Arc<Actions>,
    /// By rule, then by reason, then by refusal of the protocol.
    slots: Vec<Option<Variants>>,
    /// Answers with an `Allow` field: 204 to `OPTIONS`, 405 to others.
    allow: Vec<AllowAnswer>,
    /// The entry of `allow` that is given up next.
    next_allow: usize,
}

#[derive(Debug)]
struct AllowAnswer {
    allow: MethodSet,
    is_options: bool,
    prebuilt: Prebuilt,
    slots: Variants,
}

/// Different `Allow` answers that a worker keeps.
const MAX_ALLOW_ANSWERS: usize = 64;

impl Answers {
    /// No answer finished yet.
    pub fn new(actions: Arc<Actions>) -> Answers {
        let count = actions.len() + Reason::ALL.len() + proto::Refusal::ALL.len();
        Answers { actions, slots: vec![None; count], allow: Vec::new(), next_allow: 0 }
    }

    /// The actions that it answers for.
    pub fn actions(&self) -> &Arc<Actions> {
        &self.actions
    }

    /// Answers a request. `found` and `params` are what the router said for it; `keep_alive`: whether the connection
    /// persists after the answer (an answer that waits for the body is told when it is finished).
    ///
    /// Fixed answers, redirects without parameters and refusals allocate nothing but once a second.
    #[inline]
    pub fn respond(
        &mut self,
        found: Found,
        params: &Params,
        request: &Request<'_>,
        keep_alive: bool,
        stamp: &DateStamp,
    ) -> Response {
        let variant = Variant::of(request.head, keep_alive);
        let rule = match found {
            Found::Rule(rule) => rule,
            Found::Options { allow } => return Response::Ready(self.allow(allow, true, variant, stamp)),
            Found::MethodNotAllowed { allow } => return Response::Ready(self.allow(allow, false, variant, stamp)),
            Found::NotFound => return Response::Ready(self.refuse(Reason::NoRule, variant, stamp)),
            Found::Refused(refusal) => return Response::Ready(self.refuse(refusal.into(), variant, stamp)),
        };
        if let Some(answer) = self.prebuilt(rule, variant, stamp) {
            return Response::Ready(answer);
        }
        match self.actions.get(rule) {
            Some(Action::Redirect(redirect)) => Response::Ready(redirect.answer(params, request, variant, stamp)),
            Some(Action::Echo(echo)) => {
                let draft = echo.begin(params, request);
                if request.head.framing.has_body() {
                    Response::AwaitBody(Box::new(draft))
                } else {
                    Response::Ready(draft.finish(variant, stamp))
                }
            }
            Some(Action::NotServed(reason)) => {
                let reason = *reason;
                Response::Ready(self.refuse(reason, variant, stamp))
            }
            // A fixed answer was found above; a rule without an action is of another configuration.
            Some(Action::Fixed(_)) | None => Response::Ready(self.refuse(Reason::Internal, variant, stamp)),
        }
    }

    /// The answer of a rule that gives every request the same; `None`: it does not.
    #[inline]
    pub fn prebuilt(&mut self, rule: RuleId, variant: Variant, stamp: &DateStamp) -> Option<Bytes> {
        let prebuilt = match self.actions.get(rule)? {
            Action::Fixed(fixed) => &fixed.prebuilt,
            Action::Redirect(redirect) => redirect.as_prebuilt()?,
            Action::Echo(_) | Action::NotServed(_) => return None,
        };
        Some(slot_answer(&mut self.slots, rule.index(), prebuilt, variant, stamp))
    }

    /// The answer to a request that no rule takes.
    pub fn refuse(&mut self, reason: Reason, variant: Variant, stamp: &DateStamp) -> Bytes {
        let index = self.actions.len() + reason as usize;
        match self.actions.refusal(reason) {
            Some(prebuilt) => slot_answer(&mut self.slots, index, prebuilt, variant, stamp),
            None => Bytes::new(),
        }
    }

    /// The answer to a message that could not be understood; the connection closes after it.
    pub fn refuse_message(&mut self, refusal: proto::Refusal, stamp: &DateStamp) -> Bytes {
        let variant = Variant { version: proto::Version::Http11, keep_alive: false, head_request: false };
        let index = self.actions.len() + Reason::ALL.len() + refusal as usize;
        match self.actions.protocol_refusal(refusal) {
            Some(prebuilt) => slot_answer(&mut self.slots, index, prebuilt, variant, stamp),
            None => Bytes::new(),
        }
    }

    /// An answer with an `Allow` field: 204 when `is_options`, else 405.
    fn allow(&mut self, allow: MethodSet, is_options: bool, variant: Variant, stamp: &DateStamp) -> Bytes {
        let known = self.allow.iter_mut().find(|answer| answer.allow == allow && answer.is_options == is_options);
        if let Some(AllowAnswer { prebuilt, slots, .. }) = known {
            return slots
                .get_mut(variant.index())
                .map_or_else(Bytes::new, |slot| slot.answer(prebuilt, variant, stamp.second, &stamp.date));
        }
        let prebuilt = if is_options {
            self.actions.options_answer()
        } else {
            self.actions.refusal(Reason::MethodNotAllowed).cloned().unwrap_or_else(|| self.actions.options_answer())
        };
        let mut answer = AllowAnswer { allow, is_options, prebuilt, slots: Box::default() };
        answer.prebuilt.headers.push(("Allow".to_owned(), allow.to_string().into_bytes()));
        let bytes = answer.prebuilt.encode(variant, &stamp.date);
        if self.allow.len() < MAX_ALLOW_ANSWERS {
            self.allow.push(answer);
        } else if let Some(oldest) = self.allow.get_mut(self.next_allow) {
            *oldest = answer;
            self.next_allow = (self.next_allow + 1) % MAX_ALLOW_ANSWERS;
        }
        bytes
    }
}

/// The finished answer at `index`, made or renewed if need be.
#[inline]
fn slot_answer(
    slots: &mut [Option<Variants>],
    index: usize,
    prebuilt: &Prebuilt,
    variant: Variant,
    stamp: &DateStamp,
) -> Bytes {
    let slots = slots.get_mut(index).map(|slots| slots.get_or_insert_with(Box::default));
    match slots.and_then(|slots| slots.get_mut(variant.index())) {
        Some(slot) => slot.answer(prebuilt, variant, stamp.second, &stamp.date),
        None => prebuilt.encode(variant, &stamp.date),
    }
}
