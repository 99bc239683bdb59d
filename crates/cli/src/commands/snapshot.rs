//! `pantala snapshot ...`, `pantala clone` and `pantala rollback`.

use super::places::{self, named, named_from, state, volume_here};
use super::table::table;
use crate::arguments::{
    Clone, Rollback, SnapshotCommand, SnapshotCreate, SnapshotDelete, SnapshotList, SnapshotRename,
};
use crate::past::{PastAnswer, PastOrder, SnapshotInfo, local};
use crate::{defaults, output};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal};

pub(super) fn run(command: SnapshotCommand) -> Result<()> {
    match command {
        SnapshotCommand::Create(arguments) => create(arguments),
        SnapshotCommand::List(arguments) => list(arguments),
        SnapshotCommand::Delete(arguments) => delete(arguments),
        SnapshotCommand::Hold(arguments) => hold(arguments.store.store, &arguments.name, true),
        SnapshotCommand::Release(arguments) => hold(arguments.store.store, &arguments.name, false),
        SnapshotCommand::Rename(arguments) => rename(arguments),
    }
}

fn create(arguments: SnapshotCreate) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let here = volume_here(&store)?;
    for text in &arguments.names {
        let (volume, name) = named_from(here.as_deref(), text);
        places::order(&store, volume, PastOrder::CreateSnapshot { name, is_held: arguments.hold })?;
    }
    Ok(())
}

/// One after another: what was deleted before a failure stays so.
fn delete(arguments: SnapshotDelete) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let here = volume_here(&store)?;
    let named = arguments.names.iter().map(|text| named_from(here.as_deref(), text));
    if !arguments.dry_run {
        for (volume, name) in named {
            places::order(&store, volume, PastOrder::DeleteSnapshot { name })?;
        }
        return Ok(());
    }
    let mut of_volumes: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    named.for_each(|(volume, name)| of_volumes.entry(volume).or_default().push(name));
    for (volume, names) in of_volumes {
        places::order(&store, volume, PastOrder::DeletionEffect { names })?;
    }
    Ok(())
}

fn hold(store: Option<std::path::PathBuf>, text: &str, is_held: bool) -> Result<()> {
    let store = defaults::store(store)?;
    let (volume, name) = named(&store, text)?;
    places::order(&store, volume, PastOrder::HoldSnapshot { name, is_held })
}

fn rename(arguments: SnapshotRename) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let (volume, name) = named(&store, &arguments.name)?;
    places::order(&store, volume, PastOrder::RenameSnapshot { name, new_name: arguments.new_name })
}

fn list(arguments: SnapshotList) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let volume = arguments.volume.map_or_else(|| places::volume_here(&store), |volume| Ok(Some(volume)))?;
    let PastAnswer::Snapshots(snapshots) = places::ask(&store, volume, PastOrder::ListSnapshots)? else {
        bail!("the node told no snapshots; take it down and up again");
    };
    let text = match arguments.json {
        true => output::json(&snapshots)?,
        false => table(&["SNAPSHOT", "TAKEN", "FILES", "SIZE", "FREES", ""], &[2, 3, 4], snapshots.iter().map(row)),
    };
    Ok(output::print(&text)?)
}

fn row(snapshot: &SnapshotInfo) -> Vec<String> {
    let held = if snapshot.held { "held" } else { "" };
    vec![
        format!("{}@{}", snapshot.volume, snapshot.name),
        local(&snapshot.taken),
        snapshot.inodes.to_string(),
        output::bytes(snapshot.logical_bytes),
        snapshot.frees_bytes.map_or_else(|| "?".to_owned(), output::bytes),
        held.to_owned(),
    ]
}

pub(super) fn clone(arguments: Clone) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let (volume, state) = state(&store, &arguments.state)?;
    places::order(&store, volume, PastOrder::Clone { state, new_volume: arguments.new_volume })
}

pub(super) fn rollback(arguments: Rollback) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let to = places::state_name(&arguments.to)?;
    if !arguments.yes && !confirm(&arguments.volume, &arguments.to)? {
        bail!("{} was not rolled back", arguments.volume);
    }
    places::order(&store, Some(arguments.volume), PastOrder::RollBack { to })
}

fn confirm(volume: &str, to: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("cannot roll {volume} back: there is no terminal to ask on; confirm with --yes");
    }
    output::print(&format!("Roll the volume {volume} back to {to}? Its state is kept as a snapshot. [y/N] "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}
