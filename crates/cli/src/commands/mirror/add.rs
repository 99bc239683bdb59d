//! `pantala mirror add`.

use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, Direction, Place, PlugPlan, sides, tell_node};
use crate::arguments::MirrorAdd;
use crate::{defaults, output};
use anyhow::{Context, Result, ensure};
use mirror::ReplicaMode;
use serde::Serialize;

/// What was added. The field names are those of `--json`.
#[derive(Serialize)]
struct Added {
    mirror: String,
    volume: String,
    /// Where the replica is.
    replica: String,
    /// What it is called there.
    replica_name: String,
}

pub(super) fn run(arguments: MirrorAdd) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let place = Place::parse(&arguments.place)?;
    ensure!(place != Place::Directory(store.clone()), "{place} is this store itself; a replica needs another one");
    let name =
        arguments.name.or_else(|| place.usual_name()).context("cannot tell a name for it; give one with --name")?;
    let mut definitions = Definitions::read(&store)?;
    definitions.check_free(&name)?;
    let plug = arguments.on_plug.then(|| PlugPlan::new(&store, &name, &place)).transpose()?;
    let direction = if arguments.pull { Direction::Pull } else { Direction::Push };
    let mut definition = Definition {
        volume: arguments.volume,
        identity: String::new(),
        place: place.to_string(),
        direction,
        every_seconds: arguments.every.flatten(),
    };
    let (from, to) = sides(&store, &definition)?;
    let source = Reached::open(&from, IfMissing::Fail)?;
    let target = Reached::open(&to, IfMissing::Make)?;
    let replica_name = {
        let source = source.source(&definition.volume)?;
        let replica = target.replica(source.origin(), ReplicaMode { create: true, replace: arguments.replace })?;
        definition.volume = source.origin().name.clone();
        definition.identity = source.origin().identity.to_string();
        replica.name().to_owned()
    };
    target.close()?;
    source.close()?;
    let volume = definition.volume.clone();
    definitions.add(&name, definition)?;
    tell_node(&store)?;
    plug.map_or(Ok(()), |plan| plan.install())?;
    let added = Added { mirror: name, volume, replica: to.to_string(), replica_name };
    if arguments.json { output::print_json(&added) } else { Ok(output::print(&text(&added))?) }
}

fn text(added: &Added) -> String {
    let Added { mirror, volume, replica, replica_name } = added;
    let called = if replica_name == volume { String::new() } else { format!(" as {replica_name}") };
    format!("{volume} has a replica at {replica}{called}; `pantala mirror sync {mirror}` brings it up to date\n")
}
