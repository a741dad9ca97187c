//! Round trips of every message, hostile lines, the filter language and pcapng.

mod filter;
mod frames;
mod messages;
mod pcapng;
