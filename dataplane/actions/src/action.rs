//! Actions, compiled from the rules of a router.

use bytes::Bytes;
use proto::Status;
use router::{ActionSpec, Found, HeaderLine, Router, Rule, RuleId};

use crate::content::content_type;
use crate::echo::Echo;
use crate::prebuilt::Prebuilt;
use crate::reason::Reason;
use crate::redirect::Redirect;

/// What the answers have in common.
#[derive(Clone, Debug)]
pub struct Options {
    /// The value of `Server`; `None`: answers have no such field.
    pub server: Option<String>,
    /// Bytes of a body that an echo tells back.
    pub echo_body_limit: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { server: None, echo_body_limit: 64 * 1024 }
    }
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Always the same answer.
    Fixed(Fixed),
    /// The request, told back.
    Echo(Echo),
    /// Elsewhere.
    Redirect(Redirect),
    /// Understood, but not served by this version: 501 with this reason.
    NotServed(Reason),
}

/// A fixed answer.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub(crate) prebuilt: Prebuilt,
}

impl Fixed {
    fn compile(status: Status, mut headers: Vec<(String, Vec<u8>)>, body: Option<&str>, server: Option<&str>) -> Fixed {
        // A field of the rule takes the place of the server's own.
        let own = |headers: &mut Vec<(String, Vec<u8>)>, name: &str| {
            let index = headers.iter().position(|(own, _)| own.eq_ignore_ascii_case(name))?;
            String::from_utf8(headers.remove(index).1).ok()
        };
        let content_type = own(&mut headers, "content-type").or_else(|| body.map(|body| content_type(body).to_owned()));
        let server = own(&mut headers, "server").or_else(|| server.map(str::to_owned));
        let body = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.as_bytes()));
        Fixed { prebuilt: Prebuilt { status, server, content_type, headers, body } }
    }
}

impl Action {
    /// Compiles the action of a rule.
    pub fn compile(rule: &Rule, options: &Options) -> Action {
        let server = options.server.as_deref();
        match &rule.route.action {
            ActionSpec::Fixed { status, headers, body } => {
                Action::Fixed(Fixed::compile(wire_status(*status), fields(headers), body.as_deref(), server))
            }
            ActionSpec::Echo { status, headers } => Action::Echo(Echo::compile(
                wire_status(*status),
                fields(headers),
                rule,
                server,
                options.echo_body_limit,
            )),
            ActionSpec::Redirect { status, headers, target } => Action::Redirect(Redirect::compile(
                wire_status(*status),
                fields(headers),
                target,
                &rule.pattern,
                server,
            )),
            ActionSpec::Static { .. } => Action::NotServed(Reason::StaticNotServed),
            ActionSpec::Proxy { .. } => Action::NotServed(Reason::ProxyNotServed),
        }
    }
}

impl Action {
    /// The status of its answers.
    pub fn status(&self) -> Status {
        match self {
            Action::Fixed(fixed) => fixed.prebuilt.status,
            Action::Echo(echo) => echo.status(),
            Action::Redirect(redirect) => redirect.status(),
            Action::NotServed(reason) => reason.status(),
        }
    }

    /// Why this version does not serve it; `None` when it does.
    pub fn not_served(&self) -> Option<Reason> {
        match self {
            Action::NotServed(reason) => Some(*reason),
            Action::Fixed(_) | Action::Echo(_) | Action::Redirect(_) => None,
        }
    }
}

/// The route language admits 200 to 599, all of which are statuses.
fn wire_status(status: router::Status) -> Status {
    Status::new(status.code()).unwrap_or(Status::INTERNAL_SERVER_ERROR)
}

fn fields(headers: &[HeaderLine]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.clone(), header.value.clone().into_bytes())).collect()
}

/// The actions of all rules of a router. Immutable; shared by every worker.
#[derive(Debug)]
pub struct Actions {
    actions: Box<[Action]>,
    refusals: Box<[Prebuilt]>,
    protocol_refusals: Box<[Prebuilt]>,
    options: Options,
}

impl Actions {
    /// Compiles the actions of a router's rules.
    pub fn compile(router: &Router, options: Options) -> Actions {
        let server = options.server.as_deref();
        let line = |status, text| Prebuilt::text(status, text, server);
        Actions {
            actions: router.rules().iter().map(|rule| Action::compile(rule, &options)).collect(),
            refusals: Reason::ALL.iter().map(|reason| line(reason.status(), reason.help())).collect(),
            protocol_refusals: proto::Refusal::ALL
                .iter()
                .map(|refusal| line(refusal.status(), refusal.help()))
                .collect(),
            options,
        }
    }

    /// The action of a rule.
    pub fn get(&self, rule: RuleId) -> Option<&Action> {
        self.actions.get(rule.index())
    }

    /// Why a request for which the router found this gets no answer from a rule; `None` when it gets one.
    pub fn reason_of(&self, found: &Found) -> Option<Reason> {
        match found {
            Found::Rule(rule) => self.get(*rule).map_or(Some(Reason::Internal), Action::not_served),
            Found::Options { .. } => None,
            Found::MethodNotAllowed { .. } => Some(Reason::MethodNotAllowed),
            Found::NotFound => Some(Reason::NoRule),
            Found::Refused(refusal) => Some(Reason::from(*refusal)),
        }
    }

    /// The status of the answer to a request for which the router found this.
    pub fn status_of(&self, found: &Found) -> Status {
        match (self.reason_of(found), found) {
            (Some(reason), _) => reason.status(),
            (None, Found::Rule(rule)) => self.get(*rule).map_or(Status::INTERNAL_SERVER_ERROR, Action::status),
            (None, _) => Status::NO_CONTENT,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.actions.len()
    }

    pub(crate) fn refusal(&self, reason: Reason) -> Option<&Prebuilt> {
        self.refusals.get(reason as usize)
    }

    pub(crate) fn protocol_refusal(&self, refusal: proto::Refusal) -> Option<&Prebuilt> {
        self.protocol_refusals.get(refusal as usize)
    }

    /// The 204 to an `OPTIONS` that the server answers itself; `Allow` is added.
    pub(crate) fn options_answer(&self) -> Prebuilt {
        Prebuilt {
            status: Status::NO_CONTENT,
            server: self.options.server.clone(),
            content_type: None,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}
