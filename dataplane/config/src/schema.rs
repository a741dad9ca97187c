//! The JSON Schema of the configuration, for editors (`docs/schema/anygate.schema.json`).

use serde_json::{Map, Value as Json, json};

use crate::decode::Key;
use crate::model::{Congestion, ServerConfig};
use crate::ports::PortConfig;

/// Adds description and default to a schema.
pub(crate) fn describe(schema: &mut Json, doc: &str, default: Option<Json>) {
    // A section shows the defaults of its keys itself.
    let is_section = schema.get("properties").is_some();
    if let Json::Object(fields) = schema {
        fields.insert("description".to_owned(), doc.into());
        if let Some(default) = default.filter(|_| !is_section) {
            fields.insert("default".to_owned(), default);
        }
    }
}

/// The schema of a mapping with these keys and no others.
pub(crate) fn object(keys: Vec<(&str, Json, bool)>, about: String) -> Json {
    let required: Vec<&str> = keys.iter().filter(|(_, _, required)| *required).map(|(key, _, _)| *key).collect();
    let mut schema = json!({ "type": "object", "description": about, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["properties"] =
        Json::Object(keys.into_iter().map(|(key, schema, _)| (key.to_owned(), schema)).collect::<Map<_, _>>());
    schema
}

/// The JSON Schema (draft 2020-12) of a configuration file.
pub fn schema() -> Json {
    let routes = json!({
        "description": "Routes: a block of lines, a list of lines, a mapping of matchers to actions, or the name of a `.routes` file.",
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "anyOf": [{ "type": "string" }, { "type": "object", "additionalProperties": { "type": "string" } }] } },
            { "type": "object", "additionalProperties": { "type": "string" } },
            { "type": "null" },
        ],
    });
    let mut congestion = Congestion::schema();
    describe(&mut congestion, "Congestion controller of connections on which one of the routes answered.", None);
    let group = json!({
        "type": "object",
        "description": "Routes of certain hosts or below a prefix.",
        "additionalProperties": false,
        "properties": {
            "hosts": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "Hosts that the routes answer for; `*.example.org` stands for its subdomains." },
            "host": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "The same as `hosts`." },
            "prefix": { "type": "string", "pattern": "^/", "description": "Path that every route of the group begins with." },
            "congestion": congestion,
            "routes": routes,
        },
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AnyGate configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "server": ServerConfig::schema(),
            "ports": { "anyOf": [PortConfig::schema(), { "type": "array", "items": PortConfig::schema() }], "description": "Where packets come from." },
            "groups": { "anyOf": [group, { "type": "array", "items": group }], "description": "Routes of certain hosts or below a prefix." },
            "routes": routes,
        },
    })
}
