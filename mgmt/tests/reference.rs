//! `docs/MGMT.md` is held to the declaration of the commands.

use mgmt::reference::{MARKER, markdown};
use std::path::PathBuf;

#[test]
fn the_page_has_the_declaration() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/MGMT.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (by_hand, _) = page.split_once(MARKER).expect("the page has its marker");
    let expected = format!("{by_hand}{MARKER}\n{}", markdown());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(page == expected, "docs/MGMT.md is old; UPDATE=1 cargo test -p mgmt writes it anew");
    }
}

#[test]
fn the_declaration_is_sound() {
    use clap::CommandFactory;
    mgmt::cli::Cli::command().debug_assert();
}
