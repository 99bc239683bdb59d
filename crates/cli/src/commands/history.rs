//! `pantala history` and `pantala undelete`.

use super::places::Place;
use super::table::table;
use crate::arguments::{History, Undelete};
use crate::output;
use crate::past::{DeletedInfo, PastAnswer, PastOrder, VersionInfo, local};
use anyhow::{Result, bail};

/// Names of snapshots that a line shows.
const SNAPSHOTS_SHOWN: usize = 3;

pub(super) fn history(arguments: History) -> Result<()> {
    let place = Place::of(&arguments.path)?;
    let PastAnswer::Versions(versions) = place.ask(PastOrder::Versions { path: place.bytes() })? else {
        bail!("the node told no versions; take it down and up again");
    };
    let text = match arguments.json {
        true => output::json(&versions)?,
        false => table(&["MODIFIED", "SIZE", "KEPT", "PATH"], &[1], versions.iter().map(version)),
    };
    Ok(output::print(&text)?)
}

fn version(version: &VersionInfo) -> Vec<String> {
    let is_directory = version.kind == "directory";
    let size = if is_directory { format!("{} names", version.size) } else { output::bytes(version.size) };
    vec![local(&version.modified), size, kept(version), version.path.clone()]
}

fn kept(version: &VersionInfo) -> String {
    let mut words = Vec::new();
    words.extend(version.live.then(|| "now".to_owned()));
    words.extend(version.last_kept.as_ref().map(|time| format!("@{}", local(time).replace(' ', "T"))));
    words.extend(version.snapshots.iter().take(SNAPSHOTS_SHOWN).cloned());
    if version.snapshots.len() > SNAPSHOTS_SHOWN {
        words.push(format!("and {} snapshots more", version.snapshots.len() - SNAPSHOTS_SHOWN));
    }
    words.join(", ")
}

pub(super) fn undelete(arguments: Undelete) -> Result<()> {
    let place = Place::of(&arguments.directory)?;
    let PastAnswer::Deleted(deleted) = place.ask(PastOrder::Deleted { path: place.bytes() })? else {
        bail!("the node told nothing of what was deleted; take it down and up again");
    };
    if arguments.json {
        return output::print_json(&deleted);
    }
    if deleted.is_empty() {
        return Ok(output::print("nothing was deleted here that is kept\n")?);
    }
    output::print(&table(&["NAME", "SIZE", "MODIFIED", "LAST KEPT", ""], &[1], deleted.iter().map(row)))?;
    Ok(output::print(&format!("`pantala restore {}/NAME` brings one back\n", arguments.directory.display()))?)
}

fn row(deleted: &DeletedInfo) -> Vec<String> {
    let is_directory = deleted.kind == "directory";
    vec![
        if is_directory { format!("{}/", deleted.name) } else { deleted.name.clone() },
        if is_directory { String::new() } else { output::bytes(deleted.size) },
        local(&deleted.modified),
        local(&deleted.last_kept),
        deleted.moved_to.as_ref().map_or_else(String::new, |path| format!("moved to {path}")),
    ]
}
