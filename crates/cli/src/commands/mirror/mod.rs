//! `pantala mirror ...`.
//!
//! A sync is driven by the command itself, whoever has the stores: it asks a node, or opens the store, and a node never waits for
//! a replica.

mod add;
mod both;
mod definitions;
mod list;
mod place;
mod progress;
mod promote;
mod reach;
mod serve;
mod status;
mod sync;
mod verify;

use crate::arguments::{MirrorCommand, MirrorRemove};
use crate::{defaults, output};
use anyhow::Result;
use definitions::{Definition, Definitions, Direction};
use place::Place;
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
        MirrorCommand::Remove(arguments) => remove(arguments)?,
        MirrorCommand::Serve(arguments) => serve::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(arguments: MirrorRemove) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let removed = Definitions::read(&store)?.remove(&arguments.name)?;
    let replica = match removed.direction {
        Direction::Push => removed.place,
        Direction::Pull => store.display().to_string(),
    };
    let line = format!("{} is forgotten; the replica of {} in {replica} stays\n", arguments.name, removed.volume);
    Ok(output::print(&line)?)
}

/// Where a mirror's source and its replica are, given the store that knows the mirror.
fn sides(store: &Path, definition: &Definition) -> Result<(Place, Place)> {
    let (here, there) = (Place::Directory(store.to_owned()), definition.place()?);
    Ok(match definition.direction {
        Direction::Push => (here, there),
        Direction::Pull => (there, here),
    })
}
