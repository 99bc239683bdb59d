//! `pantala gc`.

use crate::arguments::Gc;
use crate::control::{Client, Request, Response};
use crate::defaults;
use crate::output::{self, bytes, duration};
use crate::status::{CollectionStatus, GarbageStatus, LastCollection};
use anyhow::{Result, bail};
use indicatif::ProgressBar;
use std::path::Path;

pub(super) fn run(arguments: Gc) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let garbage = if arguments.status { ask(&store, &Request::Garbage { finished: 0 })? } else { collect(&store)? };
    let text = match arguments.json {
        true => output::json(&garbage)?,
        false if arguments.status => status(&garbage),
        false => outcome(&garbage),
    };
    output::print(&text)?;
    match garbage.last.and_then(|last| last.error).filter(|_| !arguments.status) {
        Some(error) => bail!("the collection ended early: {error}"),
        None => Ok(()),
    }
}

pub(super) fn ask(store: &Path, request: &Request) -> Result<GarbageStatus> {
    match Client::connect_to_running(store)?.ask(request)? {
        Response::Garbage(garbage) => Ok(*garbage),
        _ => bail!("the node did not tell how collecting garbage goes; take it down and up again"),
    }
}

/// Has garbage collected, and shows how it goes until it is done.
fn collect(store: &Path) -> Result<GarbageStatus> {
    let garbage = ask(store, &Request::CollectGarbage)?;
    if garbage.is_held {
        bail!(
            "a transfer to a replica is under way, and garbage is collected when it has ended; `pantala gc --status` shows it"
        );
    }
    let awaited = garbage.awaited;
    wait(store, awaited, garbage)
}

/// Shows how it goes until so many collections have ended.
pub(super) fn wait(store: &Path, awaited: u64, mut garbage: GarbageStatus) -> Result<GarbageStatus> {
    let bar = ProgressBar::new_spinner();
    while garbage.finished < awaited {
        bar.set_message(progress(&garbage));
        garbage = ask(store, &Request::Garbage { finished: awaited })?;
    }
    bar.finish_and_clear();
    Ok(garbage)
}

/// What a collection that is under way has done, in a line.
fn progress(garbage: &GarbageStatus) -> String {
    let CollectionStatus { marked_blocks, live_blocks, dead_blocks, .. } = garbage.collection;
    let CollectionStatus { segments_to_retire, retired_segments, retired_bytes, copied_bytes, .. } = garbage.collection;
    match garbage.stage.as_str() {
        "mark" => format!("marking: {marked_blocks} blocks"),
        "sweep" => format!("sweeping: {live_blocks} blocks alive, {dead_blocks} dead"),
        "compact" => format!(
            "compacting: {retired_segments} of {segments_to_retire} segments, {} freed, {} written",
            bytes(retired_bytes),
            bytes(copied_bytes)
        ),
        _ => String::new(),
    }
}

fn outcome(garbage: &GarbageStatus) -> String {
    garbage.last.as_ref().map_or_else(String::new, |last| last_collection(last) + "\n")
}

fn last_collection(last: &LastCollection) -> String {
    let CollectionStatus { live_blocks, dead_blocks, retired_bytes, copied_bytes, damaged_segments, .. } =
        last.collection;
    let damaged = match damaged_segments {
        0 => String::new(),
        count => format!(", {count} damaged segments stay"),
    };
    format!(
        "{} freed, {} written for it, in {:.1} s: {live_blocks} blocks are alive, {dead_blocks} were dead{damaged}",
        bytes(retired_bytes.saturating_sub(copied_bytes)),
        bytes(copied_bytes),
        last.took_seconds
    )
}

fn status(garbage: &GarbageStatus) -> String {
    let erasing = if garbage.is_purge_due { "; what was erased is still to go from the store" } else { "" };
    let now = match (garbage.is_running, garbage.is_held) {
        (true, _) => progress(garbage),
        (false, true) => "waits for a transfer to a replica to end".to_owned(),
        (false, false) => "nothing under way".to_owned(),
    };
    let last = garbage.last.as_ref().map_or("none since the node is up".to_owned(), |last| {
        let ended = last.error.as_ref().map_or(String::new(), |error| format!("; it ended early: {error}"));
        format!("{} ago, {}{ended}", duration(last.seconds_ago), last_collection(last))
    });
    let lines = [
        ("now", now + erasing),
        ("last", last),
        ("live", bytes(garbage.live_bytes)),
        ("dead", bytes(garbage.dead_bytes)),
    ];
    lines.map(|(name, line)| format!("{name:<6}{line}\n")).concat()
}
