//! `mgmt completions` and `mgmt man`: printed from the declaration.

use super::write_out;
use crate::cli::Cli;
use crate::exit::Failure;
use clap::CommandFactory;
use std::io;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mgmt", &mut text);
    write_text(text)
}

pub(super) fn man(command: Option<&str>) -> Result<(), Failure> {
    let mut root = Cli::command();
    root.build();
    let page = match command {
        None => root,
        Some(name) => root
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::Usage(format!("there is no command `{name}`; `mgmt help` lists them")))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(Failure::output("write the manual page"))?;
    write_text(text)
}

fn write_text(text: Vec<u8>) -> Result<(), Failure> {
    let text = String::from_utf8(text).map_err(|error| Failure::output("write text")(io::Error::other(error)))?;
    write_out(&text)
}
