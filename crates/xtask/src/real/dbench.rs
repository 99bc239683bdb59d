//! `dbench`: what a file server's clients do, several at once.

use super::Scene;
use crate::program::Program;
use anyhow::{Context, Result};
use std::fs;

const CLIENTS: &str = "4";
const SECONDS: &str = "5";

pub(super) fn play(scene: &Scene) -> Result<()> {
    let directory = scene.pool.mount().join("dbench");
    fs::create_dir(&directory)?;
    // A call that does not give what the load expects ends it with an error.
    let dbench = Program::new("dbench").arguments(["--timelimit", SECONDS, "--directory"]).argument(&directory);
    let told = dbench.argument(CLIENTS).output()?;
    let throughput = told.lines().find(|line| line.starts_with("Throughput")).context("dbench tells no throughput")?;
    println!("dbench     {throughput}");
    Ok(fs::remove_dir_all(&directory)?)
}
