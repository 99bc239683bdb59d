//! `pantala mirror sync --both`.

use super::change::Change;
use super::progress::Bar;
use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, Place, with_each};
use crate::arguments::MirrorSync;
use crate::commands::sync::sync_kernels;
use crate::{defaults, output};
use anyhow::Result;
use mirror::{Both, BothOptions, Line, LineKind, sync_both};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use volume::ConflictKind;

/// The exit code of a sync that is done and met conflicts.
const CONFLICTS: u8 = 4;

/// What a two-way sync did. The field names are those of `--json`.
#[derive(Serialize)]
struct Report {
    mirror: String,
    volume: String,
    here: String,
    there: String,
    is_dry_run: bool,
    seconds: f64,
    /// Whether the two sides had a state in common: without one, nothing is deleted.
    had_common_state: bool,
    received_bytes: u64,
    sent_bytes: u64,
    /// Names that changed here.
    taken: Vec<Change>,
    /// Names that changed there.
    given: Vec<Change>,
    conflicts: Vec<Conflict>,
    /// The root that both have.
    root: Option<String>,
    safe_to_unplug: bool,
}

#[derive(Serialize)]
struct Conflict {
    kind: &'static str,
    path: String,
    /// The path of the other version, or where the other side moved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    #[serde(skip)]
    told: &'static str,
}

pub(super) fn run(arguments: &MirrorSync) -> Result<ExitCode> {
    let store = defaults::store(arguments.store.store.clone())?;
    let mirrors = Definitions::read(&store)?.select(&arguments.names)?;
    let mut reports = Vec::new();
    let synced = with_each(
        &mirrors,
        |name| format!("cannot sync {name} both ways"),
        |name, definition| {
            let report = run_one(&store, name, definition, arguments)?;
            if !arguments.json {
                output::print(&text(&report))?;
            }
            reports.push(report);
            Ok(())
        },
    );
    if arguments.json {
        output::print_json(&reports)?;
    }
    synced?;
    let has_conflicts = reports.iter().any(|report| !report.conflicts.is_empty());
    Ok(if has_conflicts { ExitCode::from(CONFLICTS) } else { ExitCode::SUCCESS })
}

fn run_one(store: &Path, name: &str, definition: &Definition, arguments: &MirrorSync) -> Result<Report> {
    let started = Instant::now();
    let (here, there) = (Place::Directory(store.to_owned()), definition.place()?);
    for place in [&here, &there] {
        if let Place::Directory(store) = place {
            sync_kernels(store)?;
        }
    }
    let (ours, theirs) = (Reached::open(&here, IfMissing::Fail)?, Reached::open(&there, IfMissing::Fail)?);
    let bar = Bar::new(name)?;
    let done = merge(&ours, &theirs, name, definition, arguments, &bar);
    bar.clear();
    let both = done?;
    let is_here = theirs.is_here();
    theirs.close()?;
    ours.close()?;
    let mut report = Report {
        mirror: name.to_owned(),
        volume: definition.volume.clone(),
        here: here.to_string(),
        there: there.to_string(),
        is_dry_run: arguments.dry_run,
        seconds: started.elapsed().as_secs_f64(),
        had_common_state: both.had_base,
        received_bytes: both.received.bytes,
        sent_bytes: both.sent.bytes,
        taken: Vec::new(),
        given: Vec::new(),
        conflicts: Vec::new(),
        root: both.root.map(|root| root.to_string()),
        safe_to_unplug: is_here && !arguments.dry_run,
    };
    both.lines.into_iter().for_each(|line| report.add(line));
    Ok(report)
}

fn merge(
    ours: &Reached,
    theirs: &Reached,
    name: &str,
    definition: &Definition,
    arguments: &MirrorSync,
    bar: &Bar,
) -> Result<Both> {
    let (ours, theirs) = (ours.peer(&definition.identity)?, theirs.peer(&definition.identity)?);
    let show = |progress| bar.show(progress);
    let label = format!("{} {name}", jiff::Zoned::now().strftime("%F"));
    let options = BothOptions {
        bytes_per_second_max: arguments.limit_rate,
        progress: Some(&show),
        is_dry_run: arguments.dry_run,
        label: &label,
    };
    Ok(sync_both(&*ours, &*theirs, &options)?)
}

impl Report {
    fn add(&mut self, Line { kind, path, other }: Line) {
        let text = |path: Vec<u8>| String::from_utf8_lossy(&path).into_owned();
        let (path, other) = (text(path), other.map(text));
        let change = |happened| Change::new(happened, path.clone(), other.clone());
        match kind {
            LineKind::Here(happened) => self.taken.push(change(happened)),
            LineKind::There(happened) => self.given.push(change(happened)),
            LineKind::Conflict(kind) => {
                let (kind, told) = conflict(kind);
                self.conflicts.push(Conflict { kind, path, other, told });
            }
        }
    }
}

/// The kind for programs, and what people are told.
fn conflict(kind: ConflictKind) -> (&'static str, &'static str) {
    match kind {
        ConflictKind::BothWrote => ("both-wrote", "both sides wrote it; theirs is"),
        ConflictKind::SameName => ("same-name", "both sides gave this name; the other one is"),
        ConflictKind::BothMoved => ("both-moved", "both sides moved it; they had moved it to"),
        ConflictKind::CrossingMoves => ("crossing-moves", "each side moved it below the other; they had moved it to"),
        ConflictKind::ChangedAndDeleted => ("changed-and-deleted", "one side wrote it, the other deleted it: it stays"),
        ConflictKind::MovedAndDeleted => ("moved-and-deleted", "one side moved it, the other deleted it: it stays"),
        ConflictKind::DirectoryInUse => {
            ("directory-in-use", "one side deleted it, the other put something into it: it stays")
        }
        ConflictKind::Attributes => ("attributes", "both sides changed the same attribute: the one of this side stays"),
    }
}

/// Digits of a root that tell it from others, for people.
const ROOT_DIGITS: usize = 12;

/// The end line, then what somebody has to look at; for a dry run, everything.
fn text(report: &Report) -> String {
    let Report { mirror, seconds, taken, given, conflicts, .. } = report;
    let counts = format!(
        "{} from there, {} to there, {}",
        counted(taken.len(), "change"),
        counted(given.len(), "change"),
        counted(conflicts.len(), "conflict")
    );
    let (received, sent) = (output::bytes(report.received_bytes), output::bytes(report.sent_bytes));
    let root = report.root.as_deref().map_or("nothing", |root| &root[..ROOT_DIGITS]);
    let end = if report.safe_to_unplug { "safe to unplug" } else { "durable on both sides" };
    let mut text = match report.is_dry_run {
        true => format!("{mirror}: {counts} there would be; {received} read from there, {sent} would be sent\n"),
        false => {
            format!(
                "{mirror}: {counts} in {seconds:.2} s ({received} received, {sent} sent); both have {root} now; {end}\n"
            )
        }
    };
    if report.is_dry_run {
        let line = |arrow: &str, change: &Change| format!("{arrow} {change}\n");
        text.extend(taken.iter().map(|change| line("from there:", change)));
        text.extend(given.iter().map(|change| line("to there:", change)));
    }
    for Conflict { path, other, told, .. } in conflicts {
        let other = other.as_ref().map_or(String::new(), |other| format!(" {other}"));
        text.push_str(&format!("conflict: {path}: {told}{other}\n"));
    }
    if !report.had_common_state {
        text.push_str("the two sides had no state in common, so nothing was deleted on either\n");
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
