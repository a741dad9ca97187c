//! The server over real sockets, with a process behind it that exists only here.

mod capture;
mod fake;
mod files;
mod sessions;
