//! Routes in every form that a configuration can give them: block, list, mapping, file; and groups of them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::decode::{Context, Key as _};
use crate::diagnostic::Diagnostic;
use crate::lines::{block, lone};
use crate::model::Congestion;
use crate::node::{Node, RouteItem, Value};
use crate::source::Source;
use crate::text::{RouteGroup, RouteText, Text};

/// Bytes of a configuration file, or of a file of routes, at most.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Files of routes that one configuration can name.
const MAX_ROUTE_FILES: usize = 256;

/// Where named files are looked for, and which ones were read.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The folder of the configuration file; `None`: the configuration is no file and can name none.
    pub base: Option<PathBuf>,
    /// Files that were read.
    pub read: Vec<PathBuf>,
}

/// Reads a file as text; the error says why not.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    if file.metadata().is_ok_and(|meta| !meta.is_file()) {
        return Err("it is not a regular file".to_owned());
    }
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot read it: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is longer than {} MiB", MAX_FILE_BYTES >> 20));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8: byte {} is none of a character", error.utf8_error().valid_up_to()))
}

/// Decodes the value of `routes`.
pub(crate) fn decode(node: &Node, files: &mut Files, cx: &mut Context) -> Vec<RouteText> {
    let mut routes = Vec::new();
    for item in items(node, cx) {
        match item {
            RouteItem::Route(route) => routes.push(route),
            RouteItem::File(name) => match from_file(&name, files) {
                Ok(more) => routes.extend(more),
                Err(wrong) => cx.found.push(wrong),
            },
        }
    }
    routes
}

fn items(node: &Node, cx: &mut Context) -> Vec<RouteItem> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::Routes(items) => items.clone(),
        Value::Scalar { .. } => node.text().map(lone).unwrap_or_default(),
        Value::Map(_) => pairs(node, cx),
        Value::List(items) => items
            .iter()
            .flat_map(|item| match &item.value {
                Value::Scalar { .. } => item.text().map(lone).unwrap_or_default(),
                Value::Map(_) => pairs(item, cx),
                Value::Null => Vec::new(),
                _ => {
                    cx.error(
                        item,
                        format!("a route must be a line or a pair of matcher and action, not {}", item.describe()),
                    );
                    Vec::new()
                }
            })
            .collect(),
    }
}

/// The entries of a mapping as routes.
fn pairs(node: &Node, cx: &mut Context) -> Vec<RouteItem> {
    let Value::Map(entries) = &node.value else {
        return Vec::new();
    };
    let mut routes = Vec::new();
    for entry in entries {
        let Some(key) = entry.key.text() else {
            continue;
        };
        let value = match &entry.value.value {
            Value::Scalar { .. } => entry.value.text(),
            Value::Null => Some(entry.value.source.slice(entry.value.span.start..entry.value.span.start)),
            _ => {
                let wrong = entry.value.error(format!(
                    "the action of {} must be a string, not {}",
                    entry.key.describe(),
                    entry.value.describe()
                ));
                cx.found.push(wrong.help("put the whole action in quotes, such as \"OK {}\""));
                None
            }
        };
        routes.extend(value.map(|value| RouteItem::Route(RouteText::Pair { key: key.trim(), value: value.trim() })));
    }
    routes
}

/// The routes of a file.
fn from_file(name: &Text, files: &mut Files) -> Result<Vec<RouteText>, Diagnostic> {
    let whole = 0..name.text.len();
    let Some(base) = &files.base else {
        return Err(name
            .error(whole, "a file of routes cannot be named here")
            .help("only a configuration that is a file itself can name other files"));
    };
    if files.read.len() > MAX_ROUTE_FILES {
        return Err(name.error(whole, format!("the configuration names more than {MAX_ROUTE_FILES} files")));
    }
    let path = base.join(&name.text);
    // A file that cannot be read is watched too: it may come.
    files.read.push(path.clone());
    let text = read_file(&path).map_err(|why| {
        let wrong = name.error(whole, format!("the file of routes `{}` cannot be used: {why}", path.display()));
        wrong.help("names are relative to the folder of the configuration file")
    })?;
    let source = Source::new(path.display().to_string(), text.strip_prefix('\u{feff}').unwrap_or(&text));
    let routes = block(&source.slice(0..source.text().len())).into_iter();
    Ok(routes.filter_map(|item| if let RouteItem::Route(route) = item { Some(route) } else { None }).collect())
}

const GROUP_KEYS: [&str; 5] = ["hosts", "host", "prefix", "congestion", "routes"];

/// Decodes the value of `groups`.
pub(crate) fn decode_groups(node: &Node, files: &mut Files, cx: &mut Context) -> Vec<RouteGroup> {
    let groups = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null => &[],
        _ => std::slice::from_ref(node),
    };
    groups
        .iter()
        .enumerate()
        .map(|(index, group)| cx.at(&index.to_string(), group, |cx| decode_group(group, files, cx)))
        .collect()
}

fn decode_group(node: &Node, files: &mut Files, cx: &mut Context) -> RouteGroup {
    let mut group = RouteGroup::default();
    cx.section(node, &GROUP_KEYS, |cx, name, value| match name {
        "routes" => group.routes = decode(value, files, cx),
        "prefix" => {
            group.prefix =
                String::decode(value, cx).and_then(|prefix| checked_prefix(prefix, value, cx)).unwrap_or_default()
        }
        "congestion" => group.congestion = Congestion::decode(value, cx),
        _ => hosts(value, &mut group, cx),
    });
    group
}

/// A prefix begins with a slash and is kept without one at its end.
fn checked_prefix(prefix: String, node: &Node, cx: &mut Context) -> Option<String> {
    if !prefix.starts_with('/')
        || prefix.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '*'))
    {
        let wrong = node.error(format!("{} must be a path that begins with `/`, not {}", cx.name(), node.describe()));
        cx.found.push(wrong.help("such as `/api`; it holds for every route of the group"));
        return None;
    }
    Some(prefix.trim_end_matches('/').to_owned())
}

fn hosts(node: &Node, group: &mut RouteGroup, cx: &mut Context) {
    let nodes = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let Some(names) = Vec::<String>::decode(node, cx) else {
        return;
    };
    for (index, name) in names.into_iter().enumerate() {
        let written = nodes.get(index).unwrap_or(node);
        let name = name.to_ascii_lowercase();
        if let Some(why) = wrong_host(&name) {
            cx.found.push(
                written
                    .error(format!("{} is no host name: {why}", written.describe()))
                    .help("such as `www.example.org`, `*.example.org` or `10.77.0.2`"),
            );
        } else if group.hosts.contains(&name) {
            cx.error(written, format!("{} is named twice", written.describe()));
        } else {
            group.hosts.push(name);
            group.host_positions.push(written.source.position(written.span.start));
        }
    }
}

/// Why a name cannot be the host of a request.
fn wrong_host(name: &str) -> Option<&'static str> {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let address = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address {
        return address.parse::<std::net::Ipv6Addr>().is_err().then_some("brackets hold an IPv6 address");
    }
    if bare.contains(':') {
        return Some("leave out scheme and port; an IPv6 address stands in brackets");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if bare.is_empty() || name.len() > 255 {
        Some("it has 1 to 255 characters")
    } else if bare.contains('*') {
        Some("a `*` stands only for the first label")
    } else if !bare.chars().all(allowed) {
        Some("letters, digits, `-`, `_` and `.` make a host name; write others in punycode")
    } else if bare.split('.').any(str::is_empty) && !bare.ends_with('.') || bare.starts_with('.') {
        Some("it has an empty label")
    } else {
        None
    }
}
