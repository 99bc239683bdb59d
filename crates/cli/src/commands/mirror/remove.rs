//! `pantala mirror remove`.

use super::{Definitions, Direction, Owner, PlugFiles, tell_node};
use crate::arguments::MirrorRemove;
use crate::{defaults, output};
use anyhow::Result;
use serde::Serialize;
use std::ffi::OsString;
use std::process::Stdio;

/// What was forgotten. The field names are those of `--json`.
#[derive(Serialize)]
struct Removed {
    mirror: String,
    volume: String,
    /// Where the replica stays.
    replica: String,
}

pub(super) fn run(arguments: MirrorRemove) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let mut definitions = Definitions::read(&store)?;
    definitions.get(&arguments.name)?;
    PlugFiles::of(&store, &arguments.name).remove()?;
    let owner = Owner::of(&store)?;
    if owner.is_another() {
        let mut words: Vec<OsString> = ["mirror", "remove", "--store"].map(Into::into).into();
        words.push(store.into());
        words.extend(arguments.json.then(|| "--json".into()));
        words.extend(["--".into(), arguments.name.into()]);
        return owner.run(&words, Stdio::inherit());
    }
    let removed = definitions.remove(&arguments.name)?;
    tell_node(&store)?;
    let replica = match removed.direction {
        Direction::Push => removed.place,
        Direction::Pull => store.display().to_string(),
    };
    let removed = Removed { mirror: arguments.name, volume: removed.volume, replica };
    if arguments.json {
        return output::print_json(&removed);
    }
    let Removed { mirror, volume, replica } = removed;
    Ok(output::print(&format!("{mirror} is forgotten; the replica of {volume} in {replica} stays\n"))?)
}
