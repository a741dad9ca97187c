//! The commands: name, arguments and reply of each, declared once.

use crate::messages::*;
use crate::{ApiError, ErrorCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A request type: its name on the wire and the type of its reply.
pub trait Command: Serialize + DeserializeOwned {
    /// The name on the wire.
    const NAME: &'static str;
    /// What the server answers.
    type Reply: Serialize + DeserializeOwned;
}

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $request:ty => $reply:ty;)+) => {
        /// Any request, as the server sees it.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Request { $($(#[$doc])* $variant($request)),+ }

        /// Any reply, as the server sends it; on the wire it is the inner type alone.
        #[derive(Clone, PartialEq, Debug, Serialize)]
        #[serde(untagged)]
        pub enum Reply { $($(#[$doc])* $variant($reply)),+ }

        /// The names of all commands, in order of declaration.
        pub const COMMANDS: &[&str] = &[$($name),+];

        $(impl Command for $request {
            const NAME: &'static str = $name;
            type Reply = $reply;
        })+

        impl Request {
            /// The name on the wire.
            pub fn name(&self) -> &'static str {
                match self { $(Request::$variant(_) => $name),+ }
            }

            fn from_parts(command: &str, arguments: serde_json::Value) -> Result<Request, ApiError> {
                match command {
                    $($name => serde_json::from_value(arguments)
                        .map(Request::$variant)
                        .map_err(|error| ApiError::from_json($name, &error)),)+
                    _ => Err(unknown(command)),
                }
            }
        }
    };
}

commands! {
    /// Is it well: state, configuration, workers.
    Status = "status": StatusRequest => StatusReply;
    /// The ports and their queues.
    Ports = "ports": PortsRequest => PortsReply;
    /// Every counter.
    Counters = "counters": CountersRequest => CountersReply;
    /// Every named reason for a drop, refusal or reset.
    Drops = "drops": DropsRequest => DropsReply;
    /// The open connections.
    Connections = "connections": ConnectionsRequest => ConnectionsReply;
    /// The link addresses of neighbours.
    Neighbors = "neighbors": NeighborsRequest => NeighborsReply;
    /// The routes in force.
    Routes = "routes": RoutesRequest => RoutesReply;
    /// Which route answers a request, and why.
    Explain = "explain": ExplainRequest => ExplainReply;
    /// Reads the configuration again.
    Reload = "reload": ReloadRequest => ReloadReply;
    /// Stops accepting, waits for what is open, exits.
    Drain = "drain": DrainRequest => DrainReply;
    /// Turns the connection into a stream of pcapng bytes.
    Capture = "capture": CaptureRequest => CaptureReply;
}

/// A request on the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a, T> {
    #[serde(borrow)]
    command: Cow<'a, str>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    arguments: Option<T>,
}

/// An answer on the wire: one of the two.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<T> {
    Ok(T),
    Error(ApiError),
}

impl Request {
    /// Reads one line of a client.
    pub fn decode(line: &str) -> Result<Request, ApiError> {
        let envelope: Envelope<'_, serde_json::Value> = serde_json::from_str(line).map_err(|error| {
            let mut refusal = ApiError::from_json("request", &error);
            if refusal.code == ErrorCode::InvalidArgument {
                refusal.code = ErrorCode::Malformed;
            }
            refusal
        })?;
        match envelope.arguments.unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new())) {
            // serde reads a list as a struct too, by position; names are the protocol.
            arguments @ serde_json::Value::Object(_) => Request::from_parts(&envelope.command, arguments),
            _ => Err(ApiError::new(ErrorCode::InvalidArgument, "request: the arguments must be an object")),
        }
    }
}

/// The line that asks for `request`, without its end.
pub(crate) fn encode_request<C: Command>(request: &C) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Envelope { command: Cow::Borrowed(C::NAME), arguments: Some(request) })
}

/// The line of an answer, without its end.
pub fn encode_answer(answer: Result<Reply, ApiError>) -> Result<String, serde_json::Error> {
    serde_json::to_string(&match answer {
        Ok(reply) => Answer::Ok(reply),
        Err(error) => Answer::Error(error),
    })
}

/// Reads the line of an answer to `C`.
pub(crate) fn decode_answer<C: Command>(line: &str) -> Result<Result<C::Reply, ApiError>, serde_json::Error> {
    Ok(match serde_json::from_str::<Answer<C::Reply>>(line)? {
        Answer::Ok(reply) => Ok(reply),
        Answer::Error(error) => Err(error),
    })
}

/// Reads the line of a refusal, when it is one.
pub(crate) fn decode_refusal(line: &str) -> Option<ApiError> {
    match serde_json::from_str::<Answer<serde_json::Value>>(line) {
        Ok(Answer::Error(error)) => Some(error),
        _ => None,
    }
}

fn unknown(command: &str) -> ApiError {
    let shown: String = command.chars().take(40).collect();
    ApiError::new(ErrorCode::UnknownCommand, format!("there is no command `{}`", shown.escape_debug()))
        .with_hint(format!("commands: {}", COMMANDS.join(", ")))
}
