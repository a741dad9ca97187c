//! What the documents show: commands and configurations, with their places.

use std::fmt;
use std::path::{Path, PathBuf};

/// Languages of fences that hold no commands. `yaml`, `json` and `toml` are configurations and `routes` and `requests`
/// rules, read by the tests of `config` and `router`; `text` is a drawing, a message or the help of a command.
const OTHER_FENCES: [&str; 6] = ["yaml", "json", "toml", "routes", "requests", "text"];

/// The root of the workspace.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace is there")
}

/// The text of a file of the workspace.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A command of a document.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The document, from the root of the workspace.
    pub file: String,
    /// Its line, from 1.
    pub number: usize,
    /// The command, without prompt and comment.
    pub command: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.number, self.command)
    }
}

/// Every command that a document shows.
pub fn all_commands() -> Vec<Shown> {
    documents().iter().flat_map(|file| commands(file, &read(file))).collect()
}

/// The documents: every Markdown file that people read.
pub fn documents() -> Vec<String> {
    let mut found: Vec<String> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).into();
    for folder in ["docs", "docs/decisions", "nic-profiles"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("a folder of documents");
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        found.extend(names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")));
    }
    found.sort();
    found
}

/// The first fence of `language` in a text.
pub fn fence(text: &str, language: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.strip_prefix("```") != Some(language));
    assert!(lines.next().is_some(), "there is no ```{language}");
    lines.take_while(|line| !line.starts_with("```")).map(|line| format!("{line}\n")).collect()
}

/// The commands of one document: indented blocks, fences of shell, and the examples in the help of a command.
fn commands(file: &str, text: &str) -> Vec<Shown> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let begin = at;
        if let Some(language) = line.strip_prefix("```") {
            at = end_of(&lines, begin + 1, |line| line.starts_with("```"));
            let inside = numbered(&lines, begin + 1, at);
            match language {
                "sh" | "console" => found.extend(prompted(inside)),
                "text" => found.extend(examples(inside)),
                other => assert!(OTHER_FENCES.contains(&other), "{file}:{}: who tests ```{other}?", begin + 1),
            }
        } else if line.starts_with("    ") && (begin == 0 || lines[begin - 1].is_empty()) {
            at = end_of(&lines, begin, |line| !line.is_empty() && !line.starts_with("    "));
            found.extend(prompted(numbered(&lines, begin, at)));
            continue;
        }
        at += 1;
    }
    let shown = |(number, command): (usize, String)| Shown { file: file.to_owned(), number, command };
    found.into_iter().map(shown).collect()
}

fn end_of(lines: &[&str], from: usize, ends: impl Fn(&str) -> bool) -> usize {
    lines[from..].iter().position(|line| ends(line)).map_or(lines.len(), |more| from + more)
}

fn numbered<'a>(lines: &[&'a str], from: usize, to: usize) -> Vec<(usize, &'a str)> {
    (from..to).map(|at| (at + 1, lines[at])).collect()
}

/// The commands of a block: the lines with a prompt when there is one, what is printed being between them; else all.
fn prompted(block: Vec<(usize, &str)>) -> Vec<(usize, String)> {
    let has_prompt = block.iter().any(|(_, line)| line.trim_start().starts_with("$ "));
    let command = |(number, line): (usize, &str)| {
        let line = line.trim();
        let line = if has_prompt { line.strip_prefix("$ ")? } else { line };
        Some((number, without_comment(line)))
    };
    block.into_iter().filter_map(command).filter(|(_, line)| !line.is_empty()).collect()
}

fn without_comment(line: &str) -> String {
    line.split_once(" # ").map_or(line, |(command, _)| command).trim_end().to_owned()
}

/// The lines below `Example:` or `Examples:` in a help text.
fn examples(block: Vec<(usize, &str)>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in block {
        match line.strip_prefix("  ") {
            Some(command) if inside => found.push((number, command.trim().to_owned())),
            _ => inside = matches!(line, "Example:" | "Examples:"),
        }
    }
    found
}

#[test]
fn commands_are_found_where_they_stand() {
    let text = "a\n\n    one  # why\n    two 'x'\n\n- list\n    no\n\n    $ three\n    printed\n\n```sh\nfour\n```\n\n\
                ```text\nExamples:\n  five | six\n\nNotes:\n  no\n```\n";
    let found: Vec<(usize, String)> = commands("x.md", text).into_iter().map(|s| (s.number, s.command)).collect();
    let expected = [(3, "one"), (4, "two 'x'"), (9, "three"), (13, "four"), (18, "five | six")];
    assert_eq!(found, expected.map(|(number, command)| (number, command.to_owned())));
}
