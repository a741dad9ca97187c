//! `routes` and `explain`: which request gets which answer.

use serde::{Deserialize, Serialize};

/// Asks for the routes in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesRequest {}

/// The routes in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RoutesReply {
    /// The generation of the configuration they come from.
    pub generation: u64,
    /// The routes, in the order of the configuration.
    pub routes: Vec<RouteInfo>,
}

/// One route.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RouteInfo {
    /// The methods it is for; empty for any.
    pub methods: Vec<String>,
    /// The hosts it is for; empty for any.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The pattern of the path.
    pub pattern: String,
    /// What it does, as the route language writes it.
    pub action: String,
    /// The file that declares it.
    #[serde(default)]
    pub file: String,
    /// The line there, from 1; 0 when it is not known.
    #[serde(default)]
    pub line: u32,
    /// The column there in characters, from 1; 0 when it is not known.
    #[serde(default)]
    pub column: u32,
}

/// Asks which route would answer a request. Nothing is sent anywhere.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The method.
    pub method: String,
    /// A path (`/a/b?c`) or a whole URL.
    pub url: String,
    /// The Host header; the host of the URL when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Which route answers, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExplainReply {
    /// The method that was looked up.
    pub method: String,
    /// The host that was looked up; empty when none was given.
    pub host: String,
    /// The path that was looked up, as the server would normalise it.
    pub path: String,
    /// The route that answers; absent when none does.
    #[serde(default)]
    pub matched: Option<RouteInfo>,
    /// The status of the answer, where it is known without asking anybody else.
    #[serde(default)]
    pub status: Option<u16>,
    /// The methods for which this path has a route, when the method is the reason for none.
    #[serde(default)]
    pub allowed_methods: Vec<String>,
    /// How the decision was made, in sentences.
    pub reasons: Vec<String>,
}
