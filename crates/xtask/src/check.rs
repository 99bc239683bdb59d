//! `cargo xtask check`: what can be said of a change without running it. It writes nothing; `cargo xtask fix` may.

use crate::parts::{self, Part, Selection};
use crate::{setup, workspace};
use anyhow::Result;
use clap::Args;

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Also look for known vulnerabilities, in a database that is fetched from GitHub
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut parts = vec![
        Part::new("format", "every source is formatted", format),
        Part::new("clippy", "no lint, in the code and in the tests", clippy),
        Part::new("deny", "licences and sources of what is used", || deny(&["licenses", "bans", "sources"])),
    ];
    if options.advisories {
        parts.push(Part::new("advisories", "known vulnerabilities of what is used", || deny(&["advisories"])));
    }
    parts::run(&parts, &options.selection, "cargo xtask check")
}

/// Formats everything and applies clippy's own fixes.
pub(crate) fn fix() -> Result<()> {
    setup::rust_components()?;
    workspace::cargo(["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]).run()?;
    workspace::cargo(["fmt", "--all"]).run()?;
    workspace::cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml"]).run()
}

fn format() -> Result<()> {
    setup::rust_components()?;
    workspace::cargo(["fmt", "--all", "--check"]).run()?;
    workspace::cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]).run()
}

fn clippy() -> Result<()> {
    setup::rust_components()?;
    workspace::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]).run()
}

fn deny(checks: &[&str]) -> Result<()> {
    setup::cargo_tool(&setup::CARGO_DENY)?;
    workspace::cargo(["deny", "--locked", "check"]).arguments(checks).run()
}
