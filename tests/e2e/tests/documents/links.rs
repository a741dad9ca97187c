//! What the documents point at is there: links, and paths of the tree in running text.

use crate::text::{documents, read, root};
use std::path::Path;

/// Endings of a word in backticks that make it a path of the tree when it has a slash.
const ENDINGS: [&str; 7] = [".rs", ".sh", ".yaml", ".toml", ".md", ".json", ".pkt"];
/// Paths in backticks that are not of the tree.
const ELSEWHERE: [&str; 3] = ["/etc/", "/run/", "bench/reports/"];

/// The parts of `text` between `open` and `close`.
fn between<'t>(text: &'t str, open: &'t str, close: char) -> impl Iterator<Item = &'t str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// The anchor of a heading: small letters, digits and hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.map(anchor).any(|found| found == wanted) || text.contains(&format!("<a id=\"{wanted}\">"))
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in documents() {
        let text = read(&file);
        for link in between(&text, "](", ')').filter(|link| !link.starts_with("http")) {
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&file).parent().unwrap_or(Path::new(""));
            let target = if path.is_empty() { Path::new(&file).to_owned() } else { folder.join(path) };
            let exists = root().join(&target).exists();
            if !exists || !wanted.is_empty() && !has_anchor(&read(&target.to_string_lossy()), wanted) {
                broken.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn paths_are_there() {
    let mut gone = Vec::new();
    for file in documents() {
        let text = read(&file);
        let words = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let paths = words.filter(|word| word.contains('/') && ENDINGS.iter().any(|ending| word.ends_with(ending)));
        for path in paths.filter(|path| !path.contains([' ', '*']) && !ELSEWHERE.iter().any(|at| path.starts_with(at)))
        {
            if !root().join(path).exists() {
                gone.push(format!("{file}: {path}"));
            }
        }
    }
    assert!(gone.is_empty(), "paths that are not there:\n{}", gone.join("\n"));
}
