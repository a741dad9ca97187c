//! What is published about the configuration agrees with the model.

use std::path::{Path, PathBuf};

use config::{Config, Format};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

/// Compares a document with what it must be; `UPDATE=1` writes it.
fn held(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == expected, "{} is not what the model says: run the test with UPDATE=1", path.display());
}

#[test]
fn schema() {
    held(&docs("schema/anygate.schema.json"), &format!("{:#}\n", config::schema()));
}

const BEGIN: &str = "<!-- reference: generated from the model -->\n";
const END: &str = "<!-- end of reference -->\n";

#[test]
fn reference() {
    let path = docs("CONFIG.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("a place for the reference");
    let (_, after) = rest.split_once(END).expect("the end of the reference");
    held(&path, &format!("{before}{BEGIN}\n{}\n{END}{after}", config::reference_table()));
}

/// The code blocks of a document in one language.
fn snippets(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    text.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(code, _)| code.to_owned()))
        .collect()
}

#[test]
fn snippets_are_right() {
    let text = std::fs::read_to_string(docs("CONFIG.md")).unwrap();
    for (language, format) in [("yaml", Format::Yaml), ("json", Format::Json), ("toml", Format::Toml)] {
        let found = snippets(&text, language);
        assert!(!found.is_empty(), "no {language} in CONFIG.md");
        for code in found {
            // Files that a snippet names are not there.
            let code = code.replace("site.routes", "\"GET /from/file: OK\"").replace("\"\"", "\"");
            Config::parse("CONFIG.md", &code, format, std::iter::empty())
                .unwrap_or_else(|wrong| panic!("{wrong}\n--- in ---\n{code}"));
        }
    }
}

#[test]
fn every_default_passes_the_schema_of_its_key() {
    fn walk(schema: &serde_json::Value, path: &str) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(
                value["description"].is_string() || key == "kind" || value.get("anyOf").is_some(),
                "{path} lacks a description"
            );
            walk(value, &path);
        }
    }
    walk(&config::schema(), "");
}
