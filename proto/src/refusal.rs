//! Why a message is refused: one table of named reasons, each with the status that answers it. Metrics, the CLI,
//! traces and the tests read this table.

use crate::Status;

macro_rules! refusals {
    ($($variant:ident = $status:ident, $name:literal, $help:literal;)+) => {
        /// The reason why a message is refused. The connection closes after the answer, because where the next
        /// message begins is not known for certain.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Refusal { $(#[doc = $help] $variant),+ }

        impl Refusal {
            /// Every reason, in order of declaration.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$variant),+];

            /// The stable name that metrics, traces and the CLI print.
            pub const fn name(self) -> &'static str {
                match self { $(Refusal::$variant => $name),+ }
            }

            /// One line for people: what was wrong.
            pub const fn help(self) -> &'static str {
                match self { $(Refusal::$variant => $help),+ }
            }

            /// The status of the answer.
            pub const fn status(self) -> Status {
                match self { $(Refusal::$variant => Status::$status),+ }
            }
        }
    };
}

refusals! {
    // Request line
    RequestLineTooLong = URI_TOO_LONG, "refuse_request_line_too_long", "the request line is longer than the limit";
    BadRequestLine = BAD_REQUEST, "refuse_bad_request_line", "the request line is not METHOD SP TARGET SP VERSION";
    BadMethod = BAD_REQUEST, "refuse_bad_method", "the method is not a token";
    BadTarget = BAD_REQUEST, "refuse_bad_target", "the request target has a form or a character that is not allowed";
    BadVersion = BAD_REQUEST, "refuse_bad_version", "the protocol version is not written as HTTP/1.1";
    Http09 = HTTP_VERSION_NOT_SUPPORTED, "refuse_http09", "an HTTP/0.9 request, without a version";
    Http2Preface = HTTP_VERSION_NOT_SUPPORTED, "refuse_http2_preface", "an HTTP/2 connection preface where HTTP/1.1 is spoken";
    VersionNotSupported = HTTP_VERSION_NOT_SUPPORTED, "refuse_version_not_supported", "a major version of HTTP other than 1";
    LeadingEmptyLines = BAD_REQUEST, "refuse_leading_empty_lines", "too many empty lines before the request line";
    ConnectMethod = NOT_IMPLEMENTED, "refuse_connect", "CONNECT: this server opens no tunnels";
    // Line structure
    BareLf = BAD_REQUEST, "refuse_bare_lf", "a line ends in LF without CR";
    BareCr = BAD_REQUEST, "refuse_bare_cr", "CR without LF";
    // Header fields
    HeaderBytes = REQUEST_HEADER_FIELDS_TOO_LARGE, "refuse_header_bytes", "the header fields take more bytes than the limit";
    HeaderCount = REQUEST_HEADER_FIELDS_TOO_LARGE, "refuse_header_count", "more header fields than the limit";
    ObsFold = BAD_REQUEST, "refuse_obs_fold", "a header line begins with white space";
    HeaderNameEmpty = BAD_REQUEST, "refuse_header_name_empty", "a header line begins with a colon";
    HeaderNameSpace = BAD_REQUEST, "refuse_header_name_space", "white space between a header name and its colon";
    HeaderNameInvalid = BAD_REQUEST, "refuse_header_name_invalid", "a header name has a character that is not allowed";
    HeaderNoColon = BAD_REQUEST, "refuse_header_no_colon", "a header line without a colon";
    HeaderValueInvalid = BAD_REQUEST, "refuse_header_value_invalid", "a control character in a header value";
    HostMissing = BAD_REQUEST, "refuse_host_missing", "an HTTP/1.1 request without Host";
    HostRepeated = BAD_REQUEST, "refuse_host_repeated", "more than one Host";
    HostInvalid = BAD_REQUEST, "refuse_host_invalid", "Host is not a host name or address with an optional port";
    ExpectUnknown = EXPECTATION_FAILED, "refuse_expect_unknown", "an expectation other than 100-continue";
    // Framing
    ContentLengthInvalid = BAD_REQUEST, "refuse_content_length_invalid", "Content-Length is not one decimal number";
    ContentLengthRepeated = BAD_REQUEST, "refuse_content_length_repeated", "more than one Content-Length";
    LengthAndEncoding = BAD_REQUEST, "refuse_length_and_encoding", "both Content-Length and Transfer-Encoding";
    EncodingInHttp10 = BAD_REQUEST, "refuse_encoding_in_http10", "Transfer-Encoding in an HTTP/1.0 request";
    EncodingNotChunked = BAD_REQUEST, "refuse_encoding_not_chunked", "the last transfer coding is not chunked, or chunked is not the last";
    EncodingUnknown = NOT_IMPLEMENTED, "refuse_encoding_unknown", "a transfer coding other than chunked";
    TraceBody = BAD_REQUEST, "refuse_trace_body", "TRACE with a body";
    // Body
    BodyBytes = CONTENT_TOO_LARGE, "refuse_body_bytes", "the body is larger than the limit";
    ChunkSizeInvalid = BAD_REQUEST, "refuse_chunk_size_invalid", "a chunk size is not a hexadecimal number";
    ChunkSizeTooLong = BAD_REQUEST, "refuse_chunk_size_too_long", "a chunk size has too many digits";
    ChunkExtensionInvalid = BAD_REQUEST, "refuse_chunk_extension_invalid", "a control character in a chunk extension";
    ChunkExtensionBytes = BAD_REQUEST, "refuse_chunk_extension_bytes", "the chunk extensions take more bytes than the limit";
    ChunkEndMissing = BAD_REQUEST, "refuse_chunk_end_missing", "chunk data is not followed by CRLF";
    TrailerBytes = REQUEST_HEADER_FIELDS_TOO_LARGE, "refuse_trailer_bytes", "the trailer fields take more bytes than the limit";
    TrailerForbidden = BAD_REQUEST, "refuse_trailer_forbidden", "a trailer field that frames, routes, authenticates or modifies the request";
    DrainBytes = CONTENT_TOO_LARGE, "refuse_drain_bytes", "the unread rest of an answered request's body is larger than the limit";
    // Time and end
    HeadTimeout = REQUEST_TIMEOUT, "refuse_head_timeout", "the head was not complete in time";
    BodyTimeout = REQUEST_TIMEOUT, "refuse_body_timeout", "the body came too slowly";
    EndInHead = BAD_REQUEST, "refuse_end_in_head", "the peer ended the connection inside a head";
    EndInBody = BAD_REQUEST, "refuse_end_in_body", "the peer ended the connection inside a body";
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.help())
    }
}

/// How often each reason occurred.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusalCounters([u64; Refusal::ALL.len()]);

impl Default for RefusalCounters {
    fn default() -> Self {
        RefusalCounters([0; Refusal::ALL.len()])
    }
}

impl RefusalCounters {
    /// Adds one.
    #[inline]
    pub fn bump(&mut self, which: Refusal) {
        let slot = &mut self.0[which as usize];
        *slot = slot.wrapping_add(1);
    }

    /// The value of one counter.
    #[inline]
    pub fn get(&self, which: Refusal) -> u64 {
        self.0[which as usize]
    }

    /// All values with their reasons, in order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.iter().map(|&which| (which, self.get(which)))
    }
}
