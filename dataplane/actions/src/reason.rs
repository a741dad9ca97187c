//! Why a request that was understood gets no answer from a rule: one table of named reasons, which metrics, traces and
//! the CLI read. Requests that could not be understood have the reasons of [`proto::Refusal`].

use std::fmt;

use proto::Status;
use router::PathRefusal;

macro_rules! reasons {
    ($($variant:ident = $status:ident, $name:literal, $help:literal;)+) => {
        /// A reason to refuse a request, with the answer that tells it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Reason { $(#[doc = $help] $variant),+ }

        impl Reason {
            /// Every reason, in order of declaration.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),+];

            /// The stable name that metrics, traces and the CLI print.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name),+ }
            }

            /// One line for people; the body of the answer.
            pub const fn help(self) -> &'static str {
                match self { $(Reason::$variant => $help),+ }
            }

            /// The status of the answer.
            pub const fn status(self) -> Status {
                match self { $(Reason::$variant => Status::$status),+ }
            }
        }
    };
}

reasons! {
    NoRule = NOT_FOUND, "refuse_no_route", "not found: no rule matches this path";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "refuse_method", "method not allowed: see the Allow field for those that are";
    PathNotAbsolute = BAD_REQUEST, "refuse_path_not_absolute", "bad request: the path does not start with a slash";
    PathBadEscape = BAD_REQUEST, "refuse_path_bad_escape", "bad request: a percent sign in the path is not followed by two hexadecimal digits";
    PathNulByte = BAD_REQUEST, "refuse_path_nul_byte", "bad request: the path holds %00";
    PathControlByte = BAD_REQUEST, "refuse_path_control_byte", "bad request: the path holds a control character or a space";
    PathWithFragment = BAD_REQUEST, "refuse_path_with_fragment", "bad request: the path holds a fragment";
    PathTooLong = URI_TOO_LONG, "refuse_path_too_long", "the path is too long";
    StaticNotServed = NOT_IMPLEMENTED, "refuse_static_not_served", "static_not_served: this server does not serve files yet";
    ProxyNotServed = NOT_IMPLEMENTED, "refuse_proxy_not_served", "proxy_not_served: this server does not proxy yet";
    Internal = INTERNAL_SERVER_ERROR, "refuse_internal", "internal error: the fault is the server's";
}

/// How often each reason occurred.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReasonCounters([u64; Reason::ALL.len()]);

impl Default for ReasonCounters {
    fn default() -> Self {
        ReasonCounters([0; Reason::ALL.len()])
    }
}

impl ReasonCounters {
    /// Adds one.
    #[inline]
    pub fn bump(&mut self, which: Reason) {
        let slot = &mut self.0[which as usize];
        *slot = slot.wrapping_add(1);
    }

    /// The value of one counter.
    #[inline]
    pub fn get(&self, which: Reason) -> u64 {
        self.0[which as usize]
    }
}

impl From<PathRefusal> for Reason {
    fn from(refusal: PathRefusal) -> Reason {
        match refusal {
            PathRefusal::NotAbsolute => Reason::PathNotAbsolute,
            PathRefusal::BadEscape => Reason::PathBadEscape,
            PathRefusal::NulByte => Reason::PathNulByte,
            PathRefusal::ControlByte => Reason::PathControlByte,
            PathRefusal::NotAPath => Reason::PathWithFragment,
            PathRefusal::TooLong => Reason::PathTooLong,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.help())
    }
}
