//! Text into the loader of configurations, in all three formats: no panic, and every complaint has a place that exists.

#![no_main]

use config::{Config, Diagnostic, Format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [format, text @ ..] = input else { return };
    let Ok(text) = core::str::from_utf8(text) else { return };
    let (name, format) = match format % 3 {
        0 => ("a.yaml", Format::Yaml),
        1 => ("a.json", Format::Json),
        _ => ("a.toml", Format::Toml),
    };
    match Config::parse(name, text, format, std::iter::empty()) {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|diagnostic| check(diagnostic, text));
            let groups: Vec<_> = loaded.config.route_groups().cloned().collect();
            // What the loader accepts, the compiler of routes can at least complain about.
            match router::Router::compile(&groups) {
                Ok((_, warnings)) => warnings.iter().for_each(|diagnostic| check(diagnostic, text)),
                Err(errors) => errors.iter().for_each(|diagnostic| check(diagnostic, text)),
            }
        }
        Err(errors) => errors.iter().for_each(|diagnostic| check(diagnostic, text)),
    }
});

fn check(diagnostic: &Diagnostic, text: &str) {
    assert!(!diagnostic.reason.is_empty());
    assert!(diagnostic.at.line as usize <= text.lines().count() + 1, "{diagnostic}");
    let _ = diagnostic.to_string();
}
