//! `pantala mirror sync`.

use super::change::Change;
use super::group::{Done, Group, open_helpers};
use super::{Definition, Definitions, plugged, with_each};
use crate::arguments::MirrorSync;
use crate::{defaults, output};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;
use volume::Difference;

/// What a sync did. The field names are those of `--json`.
#[derive(Serialize)]
struct Report {
    mirror: String,
    volume: String,
    source: String,
    replica: String,
    is_dry_run: bool,
    unchanged: bool,
    seconds: f64,
    blocks: u64,
    bytes: u64,
    /// The same before compression.
    content_bytes: u64,
    /// Bytes that other mirrors gave (`--from`), to all replicas of this source together.
    helped_bytes: u64,
    /// Bytes of the state that did not have to be sent.
    saved_bytes: u64,
    /// Snapshots and history that the replica has now and had not.
    kept: usize,
    /// Names that would change for who reads the replica, of a dry run; none of an encrypted volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
    /// The root that the replica has now.
    root: Option<String>,
    safe_to_unplug: bool,
}

/// How often a sync that follows its source looks for changes.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &MirrorSync) -> Result<()> {
    let store = defaults::store(arguments.store.store.clone())?;
    let mirrors = Definitions::read(&store)?.select(&arguments.names)?;
    if arguments.plugged {
        return plugged::run(&mirrors, || run_all(&store, &mirrors, arguments));
    }
    loop {
        run_all(&store, &mirrors, arguments).map(drop)?;
        if !arguments.watch {
            return Ok(());
        }
        thread::sleep(WATCH_INTERVAL);
    }
}

/// Syncs them; gives whether all are safe to unplug.
fn run_all(store: &Path, mirrors: &[(String, Definition)], arguments: &MirrorSync) -> Result<bool> {
    let mut reports = Vec::new();
    let mut is_safe = true;
    let helpers = open_helpers(store, mirrors, &arguments.from)?;
    let mut outcomes = BTreeMap::new();
    let synced = with_each(
        mirrors,
        |name| format!("cannot sync {name}"),
        |name, definition| {
            if !outcomes.contains_key(name) {
                let group = Group::of(store, definition, mirrors)?;
                outcomes.extend(group.run(&helpers, arguments));
            }
            let done = outcomes.remove(name).with_context(|| format!("{name} is in no group"))??;
            let report = report(name, definition, arguments, &done);
            is_safe &= report.safe_to_unplug;
            match arguments.json {
                true => reports.push(report),
                false if arguments.watch && report.unchanged => {}
                false => output::print(&(text(&report) + "\n"))?,
            }
            Ok(())
        },
    );
    if arguments.json {
        output::print_json(&reports)?;
    }
    synced.map(|()| is_safe)
}

fn report(mirror: &str, definition: &Definition, arguments: &MirrorSync, done: &Done) -> Report {
    let Done { from, to, synced, elapsed, helped_bytes, is_free, changes } = done;
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let change = |it: &Difference| Change::new(it.happened, text(&it.path), it.path_before.as_deref().map(text));
    Report {
        mirror: mirror.to_owned(),
        volume: definition.volume.clone(),
        source: from.to_string(),
        replica: to.to_string(),
        is_dry_run: arguments.dry_run,
        unchanged: synced.is_unchanged,
        seconds: elapsed.as_secs_f64(),
        blocks: synced.sent.blocks,
        bytes: synced.sent.bytes,
        content_bytes: synced.sent.content_bytes,
        helped_bytes: *helped_bytes,
        saved_bytes: synced.state.logical_bytes().saturating_sub(synced.sent.bytes),
        kept: synced.kept,
        changes: changes.as_ref().map(|changes| changes.iter().map(change).collect()),
        root: synced.state.tree().map(|root| root.to_string()),
        safe_to_unplug: *is_free && !arguments.dry_run,
    }
}

/// Digits of a root that tell it from others, for people.
const ROOT_DIGITS: usize = 12;

fn text(report: &Report) -> String {
    let Report { mirror, volume, seconds, blocks, .. } = report;
    let (sent, saved) = (output::bytes(report.bytes), output::bytes(report.saved_bytes));
    if report.is_dry_run {
        let kept = match report.kept {
            0 => String::new(),
            1 => ", with 1 state of its past".to_owned(),
            kept => format!(", with {kept} states of its past"),
        };
        let first = format!("{mirror}: {blocks} blocks, {sent} of {volume} would be sent ({saved} saved){kept}");
        let changes = report.changes.iter().flatten().map(|change| format!("\n{change}"));
        return [first].into_iter().chain(changes).collect();
    }
    let root = report.root.as_deref().map_or("nothing", |root| &root[..ROOT_DIGITS]);
    let end = if report.safe_to_unplug { "safe to unplug" } else { "durable there" };
    if report.unchanged {
        return format!("{mirror}: has {volume} at {root} already; {end}");
    }
    let helped = match report.helped_bytes {
        0 => String::new(),
        bytes => format!(", {} from other mirrors", output::bytes(bytes)),
    };
    format!(
        "{mirror}: {blocks} blocks, {sent} of {volume} sent in {seconds:.2} s ({saved} saved{helped}); has {root} now; {end}"
    )
}
