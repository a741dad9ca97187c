//! The reference part of `docs/MGMT.md`, written from the declaration of the commands.

use crate::cli::Cli;
use clap::CommandFactory;

/// Above it the page is written by hand, below it by [`markdown`].
pub const MARKER: &str = "<!-- Below this line: generated from the declaration of the commands. -->";

/// One section a command: its help, as the program prints it on a terminal of 100 columns.
pub fn markdown() -> String {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut text = section(&mut root.clone(), "mgmt");
    for command in root.get_subcommands_mut() {
        if command.get_name() != "help" {
            let title = format!("mgmt {}", command.get_name());
            text.push_str(&section(command, &title));
        }
    }
    text
}

fn section(command: &mut clap::Command, title: &str) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    format!("\n## `{title}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end())
}
