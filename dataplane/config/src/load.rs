//! Loading: from a file (or a string) and the environment to a checked [`Config`]. The same path serves start, reload and
//! `anygate check`.

use std::path::{Path, PathBuf};

use crate::decode::{Context, Key as _};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::model::{Config, ServerConfig};
use crate::node::{Node, Value};
use crate::ports::PortConfig;
use crate::routes::{Files, decode, decode_groups, read_file};
use crate::source::Source;
use crate::text::RouteGroup;
use crate::{environment, json, toml, validate, yaml};

/// The top-level keys of a configuration.
pub(crate) const SECTIONS: [&str; 4] = ["server", "ports", "groups", "routes"];
/// Keys of the model that this version cannot serve. They are refused, never ignored.
const SECTIONS_TO_COME: [(&str, &str); 4] = [
    ("tls", "TLS"),
    ("proxy", "settings of proxied upstreams"),
    ("static", "settings of static files"),
    ("plugins", "plugins"),
];

/// The language of a configuration file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// YAML 1.2, with route lines unquoted below `routes:`.
    Yaml,
    /// JSON.
    Json,
    /// TOML 1.1.
    Toml,
}

impl Format {
    /// The format of a file by the end of its name.
    pub fn of_path(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "json" => Some(Format::Json),
            "toml" => Some(Format::Toml),
            _ => None,
        }
    }
}

/// A configuration that can be served, and what is worth knowing about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is probably not as meant.
    pub warnings: Vec<Diagnostic>,
    /// The files that it was read from: those to watch for changes. The configuration file is the first.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Loads a file. `env` holds the variables of the environment; those that begin with `ANYGATE_` override the file.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Loaded, Diagnostics> {
        let name = path.display().to_string();
        let Some(format) = Format::of_path(path) else {
            let wrong =
                Diagnostic::about_file(name, "the format of the configuration is not known by the name of the file");
            return Err(wrong.help("name it .yaml, .yml, .json or .toml").into());
        };
        let text = read_file(path).map_err(|why| {
            Diagnostic::about_file(name.as_str(), format!("the configuration file cannot be used: {why}"))
        })?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let files = Files { base: Some(base), read: vec![path.to_owned()] };
        Config::read(&name, &text, format, env, files)
    }

    /// Reads a configuration from memory; `name` stands for it in messages. It cannot name other files.
    pub fn parse(
        name: &str,
        text: &str,
        format: Format,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Loaded, Diagnostics> {
        Config::read(name, text, format, env, Files::default())
    }

    fn read(
        name: &str,
        text: &str,
        format: Format,
        env: impl Iterator<Item = (String, String)>,
        mut files: Files,
    ) -> Result<Loaded, Diagnostics> {
        if text.len() as u64 > crate::routes::MAX_FILE_BYTES {
            return Err(Diagnostic::about_file(name, "the configuration is too long")
                .help("put routes into files of their own")
                .into());
        }
        let source = Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut root = match format {
            Format::Yaml => yaml::read(&source)?,
            Format::Json => json::read(&source)?,
            Format::Toml => toml::read(&source)?,
        };
        let mut cx = Context::default();
        environment::apply(&mut root, env, &mut cx.found);
        let mut config = decode_root(&root, &mut files, &mut cx);
        config.positions = std::mem::take(&mut cx.positions);
        config.positions.file = name.into();
        // What could not be read would only be found wrong again.
        if !cx.found.has_errors() {
            validate::check(&config, &mut cx.found);
        }
        if cx.found.has_errors() {
            return Err(cx.found);
        }
        let mut read = files.read;
        read.dedup();
        Ok(Loaded { config, warnings: cx.found.into_vec(), files: read })
    }
}

/// Decodes the top level.
fn decode_root(root: &Node, files: &mut Files, cx: &mut Context) -> Config {
    let mut config = Config { routes: RouteGroup::default(), ..Config::default() };
    if !matches!(root.value, Value::Map(_) | Value::Null) {
        let wrong = root.error(format!("a configuration is a mapping of keys to values, not {}", root.describe()));
        cx.found.push(wrong.help(format!("top-level keys: {}", SECTIONS.join(", "))));
        return config;
    }
    let known: Vec<&str> = SECTIONS.into_iter().chain(SECTIONS_TO_COME.map(|(key, _)| key)).collect();
    let mut to_come = Vec::new();
    cx.section(root, &known, |cx, name, node| match name {
        "server" => config.server = ServerConfig::decode(node, cx).unwrap_or_default(),
        "ports" => config.ports = Vec::<PortConfig>::decode(node, cx).unwrap_or_default(),
        "groups" => config.groups = decode_groups(node, files, cx),
        "routes" => config.routes.routes = decode(node, files, cx),
        _ => to_come.push(name.to_owned()),
    });
    if let Value::Map(entries) = &root.value {
        for entry in entries
            .iter()
            .filter(|entry| entry.key.as_str().is_some_and(|key| to_come.iter().any(|other| other == key)))
        {
            let what = SECTIONS_TO_COME
                .iter()
                .find(|(key, _)| entry.key.as_str() == Some(*key))
                .map_or("it", |(_, what)| what);
            let wrong = entry.key.error(format!("this version of AnyGate cannot serve {what}"));
            cx.found.push(wrong.help(format!("leave the section {} out", entry.key.describe())));
        }
    }
    config
}
