//! `pantala completions`.

use crate::arguments::{Arguments, Completions};
use crate::output;
use anyhow::{Context, Result};
use clap::CommandFactory;

pub(super) fn run(arguments: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "pantala", &mut script);
    output::print(&String::from_utf8_lossy(&script)).context("cannot print the completions")
}
