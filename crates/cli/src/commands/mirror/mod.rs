//! `pantala mirror ...`.
//!
//! A sync is driven by the command itself, whoever has the stores: it asks a node, or opens the store, and a node never waits for
//! a replica.

mod add;
mod both;
mod change;
mod group;
mod list;
mod plugged;
mod progress;
mod promote;
mod reach;
mod remove;
mod retention;
mod serve;
mod set;
mod status;
mod sync;
mod verify;

use crate::arguments::MirrorCommand;
use crate::control::{Client, Request};
use crate::mirrors::{Definition, Definitions, Direction, Owner, Place, PlugFiles, PlugPlan};
use crate::{failure, output};
use anyhow::{Result, ensure};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(command: MirrorCommand) -> Result<ExitCode> {
    match command {
        MirrorCommand::Sync(arguments) if arguments.both => return both::run(&arguments),
        MirrorCommand::Add(arguments) => add::run(arguments)?,
        MirrorCommand::List(arguments) => list::run(arguments)?,
        MirrorCommand::Sync(arguments) => sync::run(&arguments)?,
        MirrorCommand::Status(arguments) => status::run(&arguments)?,
        MirrorCommand::Verify(arguments) => verify::run(&arguments)?,
        MirrorCommand::Promote(arguments) => promote::run(arguments)?,
        MirrorCommand::Set(arguments) => set::run(arguments)?,
        MirrorCommand::Remove(arguments) => remove::run(arguments)?,
        MirrorCommand::Serve(arguments) => serve::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Does something with each of some mirrors. One where it fails does not keep it from the others.
fn with_each(
    mirrors: &[(String, Definition)],
    failed_with: impl Fn(&str) -> String,
    mut act: impl FnMut(&str, &Definition) -> Result<()>,
) -> Result<()> {
    let mut failed = Vec::new();
    for (name, definition) in mirrors {
        match act(name, definition) {
            Ok(()) => {}
            Err(error) if mirrors.len() == 1 => return Err(error.context(failed_with(name))),
            Err(error) => {
                output::complain(&format!("{}: {}", failed_with(name), failure::line(&error)));
                failed.push(name.as_str());
            }
        }
    }
    ensure!(failed.is_empty(), "{} of {} failed: {}", failed.len(), mirrors.len(), failed.join(", "));
    Ok(())
}

/// How often, as an argument of a command.
fn every_word(every: Option<u64>) -> String {
    every.map_or("never".to_owned(), |seconds| format!("{seconds}s"))
}

/// Tells the node that has a store, if one has, that its mirrors have changed.
fn tell_node(store: &Path) -> Result<()> {
    match Client::connect(store)? {
        Some(node) => node.order(&Request::MirrorsChanged).map(drop),
        None => Ok(()),
    }
}

/// Where a mirror's source and its replica are, given the store that knows the mirror.
fn sides(store: &Path, definition: &Definition) -> Result<(Place, Place)> {
    let (here, there) = (Place::Directory(store.to_owned()), definition.place()?);
    Ok(match definition.direction {
        Direction::Push => (here, there),
        Direction::Pull => (there, here),
    })
}
