//! The HTTP message model that every version of the protocol shares: method, target, request head.
//!
//! A [`RequestHead`] borrows the bytes it was parsed from; making one copies and allocates nothing.

use core::fmt;

/// A header field: a name that is a token (any case) and a value without surrounding white space, CR, LF or NUL.
pub use httparse::Header;

macro_rules! methods {
    ($($variant:ident = $token:literal;)+) => {
        /// A request method (RFC 9110 §9; PATCH is RFC 5789).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Method {
            $(#[doc = $token] $variant,)+
            /// Any other token; [`RequestHead::method_token`] has it.
            Extension,
        }

        impl Method {
            /// Every method with a name of its own.
            pub const NAMED: &'static [Method] = &[$(Method::$variant),+];

            /// The method with this token. Methods are case-sensitive (RFC 9110 §9.1).
            #[inline]
            pub fn from_bytes(token: &[u8]) -> Method {
                match token {
                    $(token if token == $token.as_bytes() => Method::$variant,)+
                    _ => Method::Extension,
                }
            }

            /// The token; empty for [`Method::Extension`].
            #[inline]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Method::$variant => $token,)+
                    Method::Extension => "",
                }
            }
        }
    };
}

methods! {
    Get = "GET";
    Head = "HEAD";
    Post = "POST";
    Put = "PUT";
    Delete = "DELETE";
    Connect = "CONNECT";
    Options = "OPTIONS";
    Trace = "TRACE";
    Patch = "PATCH";
}

impl Method {
    /// One bit a method, for sets of methods.
    #[inline]
    pub const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// The version that a message is handled as. Higher minor versions than 1.1 are handled as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// The four forms of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port`, with CONNECT only
    Authority,
    /// `*`, with OPTIONS only
    Asterisk,
}

/// A request target, checked and split but not decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'b> {
    /// As it was sent.
    pub raw: &'b str,
    /// Which of the four forms it has.
    pub form: TargetForm,
    /// The path with its leading slash; `*` in asterisk form, empty in authority form. Percent escapes are as sent.
    pub path: &'b str,
    /// What follows the first `?`.
    pub query: Option<&'b str>,
}

/// How the end of a request's body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// Content-Length, in bytes.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

impl BodyFraming {
    /// Whether body events follow the head. When not, the request is complete with its head.
    #[inline]
    pub const fn has_body(self) -> bool {
        !matches!(self, BodyFraming::None | BodyFraming::Length(0))
    }
}

/// The head of a request: everything before its body, checked.
#[derive(Clone, Copy)]
pub struct RequestHead<'b> {
    /// The method.
    pub method: Method,
    /// The method as it was sent.
    pub method_token: &'b str,
    /// The request target.
    pub target: Target<'b>,
    /// The version that the message is handled as.
    pub version: Version,
    /// The authority that the request is for, checked: that of an absolute-form target, else the value of Host.
    /// `None` when neither says any. It may have a port. As text: [`RequestHead::host`].
    pub authority: Option<&'b [u8]>,
    /// Every header field, in the order of arrival.
    pub headers: &'b [Header<'b>],
    /// How the body is delimited.
    pub framing: BodyFraming,
    /// Whether the connection persists (RFC 9112 §9.3) when the request is answered at once: the client lets it, and no
    /// limit of the server is reached. An answer given later asks the machine again.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// The value of Upgrade when Connection names it; ignoring it is allowed (RFC 9110 §7.8).
    pub upgrade: Option<&'b str>,
    /// Bytes of the head, from the request line to the empty line.
    pub raw_len: usize,
}

impl<'b> RequestHead<'b> {
    /// The value of the first header field with this name (given in any case).
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The authority as text; not made for each request, because most rules do not ask for the host.
    #[inline]
    pub fn host(&self) -> Option<&'b str> {
        // It was checked to be ASCII.
        self.authority.and_then(|authority| core::str::from_utf8(authority).ok())
    }

    /// The host without its port.
    #[inline]
    pub fn host_name(&self) -> Option<&'b str> {
        self.host().map(|authority| split_authority(authority).0)
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method_token)
            .field("target", &self.target)
            .field("version", &self.version)
            .field("host", &self.host())
            .field("headers", &self.headers)
            .field("framing", &self.framing)
            .field("keep_alive", &self.keep_alive)
            .field("expect_continue", &self.expect_continue)
            .field("upgrade", &self.upgrade)
            .finish_non_exhaustive()
    }
}

/// The host and the port text of an authority that was checked before: `a:80` gives (`a`, `80`), `[::1]` gives
/// (`[::1]`, none), `a:` gives (`a`, none).
#[inline]
pub fn split_authority(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon inside the brackets of an address literal is no port's.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port).filter(|port| !port.is_empty())),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests;
