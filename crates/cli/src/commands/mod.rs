//! The commands, one file each.

mod completions;
mod diff;
mod down;
mod erase;
mod gc;
mod history;
mod man;
mod mirror;
mod places;
mod reindex;
mod repair;
mod restore;
mod scrub;
mod scrub_text;
mod snapshot;
mod space;
mod status;
mod status_text;
mod sync;
mod table;
mod tree_copy;
mod up;
mod volume;
mod volume_keys;

use crate::arguments::{Command, StoreCommand};
use crate::node;
use anyhow::Result;
use std::process::ExitCode;

/// Does what the user said.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::run(arguments)?,
        Command::Down(arguments) => down::run(arguments)?,
        Command::Sync(arguments) => sync::run(arguments)?,
        Command::Status(arguments) => return status::run(arguments),
        Command::Scrub(arguments) => return scrub::run(arguments),
        Command::Volume(arguments) => volume::run(arguments.command)?,
        Command::Snapshot(arguments) => snapshot::run(arguments.command)?,
        Command::Space(arguments) => space::run(arguments)?,
        Command::History(arguments) => history::history(arguments)?,
        Command::Restore(arguments) => restore::run(arguments)?,
        Command::Undelete(arguments) => history::undelete(arguments)?,
        Command::Diff(arguments) => diff::run(arguments)?,
        Command::Clone(arguments) => snapshot::clone(arguments)?,
        Command::Rollback(arguments) => snapshot::rollback(arguments)?,
        Command::Erase(arguments) => erase::run(arguments)?,
        Command::Gc(arguments) => gc::run(arguments)?,
        Command::Mirror(arguments) => return mirror::run(arguments.command),
        Command::Store(arguments) => match arguments.command {
            StoreCommand::Reindex(arguments) => reindex::run(arguments)?,
            StoreCommand::Repair(arguments) => repair::run(arguments)?,
        },
        Command::Completions(arguments) => completions::run(&arguments)?,
        Command::Man(arguments) => man::run(&arguments)?,
        Command::Node(arguments) => return Ok(node::daemon::run(arguments)),
    }
    Ok(ExitCode::SUCCESS)
}
