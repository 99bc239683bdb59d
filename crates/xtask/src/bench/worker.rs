//! A process that makes or removes files. It is this program itself, called by [`start`].

use crate::program::{Program, Running};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

const RUN_TIME_MAX: Duration = Duration::from_secs(600);

/// What to do with files that have numbers for names.
#[derive(Args)]
pub(crate) struct Options {
    action: Action,
    directory: PathBuf,
    from: u64,
    to: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    Create,
    Unlink,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    for number in options.from..options.to {
        let path = options.directory.join(format!("file-{number:08}"));
        match options.action {
            Action::Create => drop(File::create_new(&path)?),
            Action::Unlink => fs::remove_file(&path)?,
        }
    }
    Ok(())
}

/// A worker that runs.
pub(super) struct Work {
    running: Running,
}

pub(super) fn start(arguments: [&str; 4]) -> Result<Work> {
    let program = std::env::current_exe().context("this program's own path")?;
    let running = Program::new(program).argument("bench-worker").arguments(arguments).start()?;
    Ok(Work { running })
}

impl Work {
    pub(super) fn wait(mut self) -> Result<()> {
        let status = self.running.wait(RUN_TIME_MAX)?;
        if !status.success() {
            bail!("a worker failed: {status}");
        }
        Ok(())
    }
}
