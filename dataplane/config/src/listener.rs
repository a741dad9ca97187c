//! What to listen on: an address alone, or an address with what holds for its connections.

use std::fmt;

use serde_json::{Value as Json, json};

use crate::address::ListenAddress;
use crate::decode::{Context, Key};
use crate::model::Congestion;
use crate::node::{Node, Value};
use crate::schema;

/// One entry of `server.listen`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where connections are accepted.
    pub address: ListenAddress,
    /// Their congestion controller; `None`: that of `server.tcp.congestion`.
    pub congestion: Option<Congestion>,
}

impl From<ListenAddress> for Listener {
    fn from(address: ListenAddress) -> Listener {
        Listener { address, congestion: None }
    }
}

/// The address.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

const KEYS: [&str; 2] = ["address", "congestion"];

impl Key for Listener {
    fn decode(node: &Node, cx: &mut Context) -> Option<Listener> {
        if !matches!(node.value, Value::Map(_)) {
            return ListenAddress::decode(node, cx).map(Listener::from);
        }
        let (mut address, mut congestion, mut given) = (None, Some(None), false);
        cx.section(node, &KEYS, |cx, name, value| {
            if name == "address" {
                given = true;
                address = ListenAddress::decode(value, cx);
            } else {
                congestion = Congestion::decode(value, cx).map(Some);
            }
        })?;
        if !given {
            let what = cx.name();
            cx.error(node, format!("{what} lacks `address`"));
        }
        Some(Listener { address: address?, congestion: congestion? })
    }

    fn schema() -> Json {
        let mut congestion = Congestion::schema();
        schema::describe(&mut congestion, "Congestion controller of its connections.", None);
        let keys = vec![("address", ListenAddress::schema(), true), ("congestion", congestion, false)];
        let section = schema::object(keys, "An address with what holds for its connections.".to_owned());
        json!({ "anyOf": [ListenAddress::schema(), section] })
    }

    fn type_name() -> String {
        ListenAddress::type_name()
    }

    fn show(&self) -> Json {
        match self.congestion {
            None => self.address.show(),
            Some(congestion) => json!({ "address": self.address.show(), "congestion": congestion.show() }),
        }
    }
}
