//! `pantala man`.

use crate::arguments::{Arguments, Man};
use crate::output;
use anyhow::{Context, Result};
use clap::CommandFactory;
use std::fs;

pub(super) fn run(arguments: &Man) -> Result<()> {
    let Some(directory) = &arguments.dir else { return print() };
    let write = || {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Arguments::command(), directory)
    };
    write().with_context(|| format!("cannot write the man pages into {}", directory.display()))
}

fn print() -> Result<()> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Arguments::command()).render(&mut page);
    rendered.and_then(|()| output::print(&String::from_utf8_lossy(&page))).context("cannot print the man page")
}
