//! Request methods as bits, so that a rule's methods are one word and the question "does it take this one" one `and`.

use std::fmt;

macro_rules! methods {
    ($($variant:ident = $name:literal,)+) => {
        /// A request method of the IANA registry (and `PURGE`), or any other.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
            /// A method without a name here; only rules that take every method take it.
            Other,
        }

        impl Method {
            /// Every method with a name, in the order in which sets of them are printed.
            pub const NAMED: &'static [Method] = &[$(Method::$variant),+];

            /// The method as it stands in a request line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Method::$variant => $name,)+
                    Method::Other => "(other)",
                }
            }

            /// The method that a token of a request line names. Methods are case-sensitive (RFC 9110 §9.1).
            #[inline]
            pub fn from_token(token: &[u8]) -> Method {
                $(if token == $name.as_bytes() { return Method::$variant; })+
                Method::Other
            }
        }
    };
}

methods! {
    Get = "GET",
    Head = "HEAD",
    Post = "POST",
    Put = "PUT",
    Patch = "PATCH",
    Delete = "DELETE",
    Options = "OPTIONS",
    Query = "QUERY",
    Connect = "CONNECT",
    Trace = "TRACE",
    Purge = "PURGE",
    Propfind = "PROPFIND",
    Proppatch = "PROPPATCH",
    Mkcol = "MKCOL",
    Copy = "COPY",
    Move = "MOVE",
    Lock = "LOCK",
    Unlock = "UNLOCK",
    Report = "REPORT",
    Search = "SEARCH",
    Acl = "ACL",
    BaselineControl = "BASELINE-CONTROL",
    Bind = "BIND",
    Checkin = "CHECKIN",
    Checkout = "CHECKOUT",
    Label = "LABEL",
    Link = "LINK",
    Merge = "MERGE",
    Mkactivity = "MKACTIVITY",
    Mkcalendar = "MKCALENDAR",
    Mkredirectref = "MKREDIRECTREF",
    Mkworkspace = "MKWORKSPACE",
    Orderpatch = "ORDERPATCH",
    Rebind = "REBIND",
    Unbind = "UNBIND",
    Uncheckout = "UNCHECKOUT",
    Unlink = "UNLINK",
    Update = "UPDATE",
    Updateredirectref = "UPDATEREDIRECTREF",
    VersionControl = "VERSION-CONTROL",
}

const _: () = assert!((Method::Other as u32) < u64::BITS);

impl Method {
    /// The named method that `token` names.
    pub fn named(token: &str) -> Option<Method> {
        Some(Method::from_token(token.as_bytes())).filter(|&method| method != Method::Other)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of methods.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MethodSet(u64);

impl MethodSet {
    /// No method.
    pub const EMPTY: MethodSet = MethodSet(0);
    /// Every method, also those without a name here.
    pub const ALL: MethodSet = MethodSet(u64::MAX);

    /// The set of one.
    #[inline]
    pub const fn of(method: Method) -> MethodSet {
        MethodSet(1 << method as u8)
    }

    /// Whether `method` is in it.
    #[inline]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// Whether every method of `other` is in it.
    pub const fn contains_all(self, other: MethodSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with the methods of both.
    #[must_use]
    pub const fn union(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 | other.0)
    }

    /// The methods of both at once.
    #[must_use]
    pub const fn intersection(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 & other.0)
    }

    /// The methods that are not in `other`.
    #[must_use]
    pub const fn without(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 & !other.0)
    }

    /// The named methods in it.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::NAMED.iter().copied().filter(move |&method| self.contains(method))
    }

    /// One word that tells sets apart, for tables indexed by them.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> MethodSet {
        methods.into_iter().fold(MethodSet::EMPTY, |set, method| set.union(MethodSet::of(method)))
    }
}

/// As in an `Allow` field: `GET, HEAD`. The set of all prints as `any method`.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == MethodSet::ALL {
            return f.write_str("any method");
        }
        for (index, method) in self.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, method.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}
