//! A server of one connection without a network: requests as text in, answers as text out.
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;
use std::sync::Arc;

use actions::{Actions, Answers, DateStamp, Options, Request, Response, Variant};
use bytes::Bytes;
use config::{Position, RouteGroup, RouteText, Text};
use proto::h1::{Event, HeaderSlots, Limits, Server as H1};
use router::{Method, Params, Router};

pub struct Server {
    pub router: Router,
    pub answers: Answers,
    pub params: Params,
    pub second: u64,
}
