//! `pantala mirror status`.

use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, sides};
use crate::arguments::MirrorStatus;
use crate::commands::table;
use crate::mirrors::{Turn, Turns};
use crate::{defaults, failure, output};
use anyhow::{Context, Result};
use mirror::Listed;
use serde::Serialize;
use std::path::Path;

/// How a mirror is. The field names are those of `--json`.
#[derive(Serialize)]
struct Status {
    mirror: String,
    volume: String,
    place: String,
    state: State,
    /// The root that the replica has.
    root: Option<String>,
    /// When that was the state of the source, in seconds since 1970.
    taken_seconds: Option<i64>,
    /// Nobody has the replica's store open, and what it holds is one whole state.
    safe_to_unplug: bool,
    /// Why its state is not known.
    problem: Option<String>,
    /// How often the node syncs it by itself.
    every_seconds: Option<u64>,
    /// How the last of those syncs went.
    turn: Option<Turn>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It has the state of its source.
    InStep,
    /// It has an earlier state.
    Behind,
    /// It has an earlier state, and a sync was cut off: the next one goes on from there.
    Partial,
    /// It is writable, and has a state of its own.
    Promoted,
    /// Both are writable, and have one state.
    Joined,
    /// It cannot be reached.
    Away,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::InStep => "in step",
            Self::Behind => "behind",
            Self::Partial => "behind, sync cut off",
            Self::Promoted => "promoted",
            Self::Joined => "in step, both writable",
            Self::Away => "away",
        }
    }
}

pub(super) fn run(arguments: &MirrorStatus) -> Result<()> {
    let store = defaults::store(arguments.store.store.clone())?;
    let mirrors = Definitions::read(&store)?.select(&arguments.names)?;
    let turns = Turns::read(&store)?;
    let statuses: Vec<_> = mirrors
        .iter()
        .map(|(name, definition)| Status { turn: turns.get(name).cloned(), ..status(&store, name, definition) })
        .collect();
    if arguments.json {
        return output::print_json(&statuses);
    }
    let heads = ["MIRROR", "VOLUME", "STATE", "ROOT", "AS OF", "SAFE TO UNPLUG", "PLACE"];
    Ok(output::print(&table::table(&heads, &[], statuses.iter().map(row)))?)
}

fn status(store: &Path, name: &str, definition: &Definition) -> Status {
    let mut status = Status {
        mirror: name.to_owned(),
        volume: definition.volume.clone(),
        place: definition.place.clone(),
        state: State::Away,
        root: None,
        taken_seconds: None,
        safe_to_unplug: false,
        problem: None,
        every_seconds: definition.every_seconds,
        turn: None,
    };
    match look(store, definition) {
        Ok((source, replica, is_free)) => {
            status.state = compare(&source, &replica);
            status.root = replica.state.tree().map(|root| root.to_string());
            status.taken_seconds = replica.state.tree().map(|_| replica.state.taken().seconds);
            status.safe_to_unplug = is_free;
        }
        Err(error) => status.problem = Some(failure::line(&error)),
    }
    status
}

/// Source and replica as they are, and whether nobody has the replica's store.
fn look(store: &Path, definition: &Definition) -> Result<(Listed, Listed, bool)> {
    let (from, to) = sides(store, definition)?;
    let source = Reached::open(&from, IfMissing::Fail)?;
    let target = Reached::open(&to, IfMissing::Fail)?;
    let find = |reached: &Reached| {
        let volumes = reached.list()?;
        let found = volumes.into_iter().find(|volume| volume.identity.to_string() == definition.identity);
        found.with_context(|| format!("there is no {} and no replica of it", definition.volume))
    };
    let source_volume = find(&source).with_context(|| format!("{from}"))?;
    let replica = find(&target).with_context(|| format!("{to}"))?;
    Ok((source_volume, replica, target.is_here()))
}

fn compare(source: &Listed, replica: &Listed) -> State {
    let has_changes = source.has_changes || replica.has_changes;
    if !replica.is_replica && replica.state.tree() == source.state.tree() && !has_changes {
        State::Joined
    } else if !replica.is_replica {
        State::Promoted
    } else if replica.state.is_same(&source.state) && !source.has_changes {
        State::InStep
    } else if replica.is_partial {
        State::Partial
    } else {
        State::Behind
    }
}

/// Digits of a root that tell it from others, for people.
const ROOT_DIGITS: usize = 12;

fn row(status: &Status) -> Vec<String> {
    let dash = || "-".to_owned();
    let taken = status.taken_seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let local = |time: jiff::Timestamp| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T").to_string();
    let failed = status.turn.as_ref().and_then(|turn| turn.problem.as_ref());
    let failed = failed.map(|problem| format!("the last sync on schedule failed: {problem}"));
    let place = match status.problem.clone().or(failed) {
        Some(problem) => format!("{}: {problem}", status.place),
        None => status.place.clone(),
    };
    vec![
        status.mirror.clone(),
        status.volume.clone(),
        status.state.word().to_owned(),
        status.root.as_deref().map_or_else(dash, |root| root[..ROOT_DIGITS].to_owned()),
        taken.map_or_else(dash, local),
        if status.safe_to_unplug { "yes" } else { "no" }.to_owned(),
        place,
    ]
}
