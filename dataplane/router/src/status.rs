//! Status codes and the words that the route language has for them.

use std::fmt;

use crate::suggest;

/// A status code that a final answer may have: 200 to 599.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Status(u16);

/// The IANA registry of status codes, upper case with underscores. Older names come after the registered one.
const WORDS: &[(u16, &str)] = &[
    (100, "CONTINUE"),
    (101, "SWITCHING_PROTOCOLS"),
    (102, "PROCESSING"),
    (103, "EARLY_HINTS"),
    (104, "UPLOAD_RESUMPTION_SUPPORTED"),
    (200, "OK"),
    (201, "CREATED"),
    (202, "ACCEPTED"),
    (203, "NON_AUTHORITATIVE_INFORMATION"),
    (204, "NO_CONTENT"),
    (205, "RESET_CONTENT"),
    (206, "PARTIAL_CONTENT"),
    (207, "MULTI_STATUS"),
    (208, "ALREADY_REPORTED"),
    (226, "IM_USED"),
    (300, "MULTIPLE_CHOICES"),
    (301, "MOVED_PERMANENTLY"),
    (302, "FOUND"),
    (303, "SEE_OTHER"),
    (304, "NOT_MODIFIED"),
    (305, "USE_PROXY"),
    (307, "TEMPORARY_REDIRECT"),
    (308, "PERMANENT_REDIRECT"),
    (400, "BAD_REQUEST"),
    (401, "UNAUTHORIZED"),
    (402, "PAYMENT_REQUIRED"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (406, "NOT_ACCEPTABLE"),
    (407, "PROXY_AUTHENTICATION_REQUIRED"),
    (408, "REQUEST_TIMEOUT"),
    (409, "CONFLICT"),
    (410, "GONE"),
    (411, "LENGTH_REQUIRED"),
    (412, "PRECONDITION_FAILED"),
    (413, "CONTENT_TOO_LARGE"),
    (413, "PAYLOAD_TOO_LARGE"),
    (414, "URI_TOO_LONG"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (416, "RANGE_NOT_SATISFIABLE"),
    (417, "EXPECTATION_FAILED"),
    (418, "IM_A_TEAPOT"),
    (421, "MISDIRECTED_REQUEST"),
    (422, "UNPROCESSABLE_CONTENT"),
    (422, "UNPROCESSABLE_ENTITY"),
    (423, "LOCKED"),
    (424, "FAILED_DEPENDENCY"),
    (425, "TOO_EARLY"),
    (426, "UPGRADE_REQUIRED"),
    (428, "PRECONDITION_REQUIRED"),
    (429, "TOO_MANY_REQUESTS"),
    (431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
    (451, "UNAVAILABLE_FOR_LEGAL_REASONS"),
    (500, "INTERNAL_SERVER_ERROR"),
    (501, "NOT_IMPLEMENTED"),
    (502, "BAD_GATEWAY"),
    (503, "SERVICE_UNAVAILABLE"),
    (504, "GATEWAY_TIMEOUT"),
    (505, "HTTP_VERSION_NOT_SUPPORTED"),
    (506, "VARIANT_ALSO_NEGOTIATES"),
    (507, "INSUFFICIENT_STORAGE"),
    (508, "LOOP_DETECTED"),
    (510, "NOT_EXTENDED"),
    (511, "NETWORK_AUTHENTICATION_REQUIRED"),
];

/// Why a number or word is no status of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAStatus {
    /// 1xx: only sent ahead of an answer (RFC 9110 §15.2).
    Interim,
    /// Three digits outside 100 to 599 (RFC 9110 §15).
    OutOfRange,
    /// Neither three digits nor a known word.
    Unknown,
}

impl Status {
    /// 200.
    pub const OK: Status = Status(200);
    /// 302, what `->` means.
    pub const FOUND: Status = Status(302);

    /// A status from its number, 200 to 599.
    pub fn new(code: u16) -> Option<Status> {
        (200..=599).contains(&code).then_some(Status(code))
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The word for it, if it is registered.
    pub fn word(self) -> Option<&'static str> {
        WORDS.iter().find(|(code, _)| *code == self.0).map(|(_, word)| *word)
    }

    /// Whether an answer with it carries no content: RFC 9110 §15.3.5, §15.3.6 and §15.4.5.
    pub const fn forbids_body(self) -> bool {
        matches!(self.0, 204 | 205 | 304)
    }

    /// Whether it sends the client to a `Location`: RFC 9110 §15.4.
    pub const fn is_redirect(self) -> bool {
        matches!(self.0, 301 | 302 | 303 | 307 | 308)
    }

    pub(crate) fn parse(token: &str) -> Result<Status, NotAStatus> {
        let is_number = token.len() == 3 && token.bytes().all(|b| b.is_ascii_digit());
        let code = if is_number {
            token.parse().map_err(|_| NotAStatus::Unknown)?
        } else {
            WORDS.iter().find(|(_, word)| *word == token).map(|(code, _)| *code).ok_or(NotAStatus::Unknown)?
        };
        match code {
            100..=199 => Err(NotAStatus::Interim),
            code => Status::new(code).ok_or(NotAStatus::OutOfRange),
        }
    }

    /// The word that the writer of `token` probably meant: other case, hyphens for underscores, a slip or two.
    pub(crate) fn suggest(token: &str) -> Option<&'static str> {
        let folded = token.to_ascii_uppercase().replace(['-', ' '], "_");
        let words = WORDS.iter().filter(|(code, _)| *code >= 200).map(|(_, word)| *word);
        suggest::nearest(&folded, words)
    }
}

/// The word where there is one, else the number.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "{}", self.0),
        }
    }
}
