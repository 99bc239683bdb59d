//! `pantala mirror add`.

use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, Direction, Place, PlugPlan, every_word, sides, tell_node};
use crate::arguments::MirrorAdd;
use crate::{defaults, output};
use anyhow::{Context, Result, ensure};
use mirror::ReplicaMode;
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

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
    let store = defaults::store(arguments.store.store.clone())?;
    let place = Place::parse(&arguments.place)?;
    ensure!(place != Place::Directory(store.clone()), "{place} is this store itself; a replica needs another one");
    let name = arguments
        .name
        .clone()
        .or_else(|| place.usual_name())
        .context("cannot tell a name for it; give one with --name")?;
    let mut definitions = Definitions::read(&store)?;
    definitions.check_free(&name)?;
    let plug = arguments.on_plug.then(|| PlugPlan::new(&store, &name, &place)).transpose()?;
    if let Some(plug) = &plug
        && plug.owner.is_another()
    {
        return add_as_owner(plug, arguments, &store, &name, &place);
    }
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
    let added = Added { mirror: name, volume, replica: to.to_string(), replica_name };
    if arguments.json {
        output::print_json(&added)?
    } else {
        output::print(&text(&added))?
    }
    plug.map_or(Ok(()), |plug| install(&plug, arguments.json))
}

/// What root adds to a user's store belongs to the user, on the drive as well.
fn add_as_owner(plug: &PlugPlan, arguments: MirrorAdd, store: &Path, name: &str, place: &Place) -> Result<()> {
    let MirrorAdd { store: _, volume, place: _, name: _, pull, replace, every, on_plug: _, json } = arguments;
    if let (Place::Directory(replica), false) = (place, pull) {
        plug.owner.make_directory(replica)?;
    }
    let mut words: Vec<OsString> = ["mirror", "add", "--name", name, "--store"].map(Into::into).into();
    words.push(store.into());
    words.extend(every.into_iter().flat_map(|every| ["--every".into(), every_word(every).into()]));
    let flags = [(pull, "--pull"), (replace, "--replace"), (json, "--json")];
    words.extend(flags.iter().filter(|(is_given, _)| *is_given).map(|(_, flag)| (*flag).into()));
    words.extend(["--".into(), volume.into(), place.to_string().into()]);
    plug.owner.run(&words, Stdio::inherit())?;
    install(plug, json)
}

fn install(plug: &PlugPlan, is_json: bool) -> Result<()> {
    match plug.install()?.filter(|_| !is_json) {
        Some(command) => Ok(output::print(&format!("its first sync has begun; `{command}` shows how it goes\n"))?),
        None => Ok(()),
    }
}

fn text(added: &Added) -> String {
    let Added { mirror, volume, replica, replica_name } = added;
    let called = if replica_name == volume { String::new() } else { format!(" as {replica_name}") };
    format!("{volume} has a replica at {replica}{called}; `pantala mirror sync {mirror}` brings it up to date\n")
}
