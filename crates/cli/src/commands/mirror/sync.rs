//! `pantala mirror sync`.

use super::progress::Bar;
use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, Place, plugged, sides, with_each};
use crate::arguments::MirrorSync;
use crate::commands::sync::sync_kernels;
use crate::{defaults, failure, output};
use anyhow::{Context, Result, anyhow};
use mirror::{ReplicaMode, Side, SyncOptions, Synced};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

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
    /// Bytes of the state that did not have to be sent.
    saved_bytes: u64,
    /// Snapshots and history that the replica has now and had not.
    kept: usize,
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
        return run_plugged(&store, &mirrors, arguments);
    }
    loop {
        run_all(&store, &mirrors, arguments)?;
        if !arguments.watch {
            return Ok(());
        }
        thread::sleep(WATCH_INTERVAL);
    }
}

/// With nobody at a terminal: what a user should know is shown on the desktop, too.
fn run_plugged(store: &Path, mirrors: &[(String, Definition)], arguments: &MirrorSync) -> Result<()> {
    let synced = plugged::wait_for_drives(store, mirrors).and_then(|()| run_all(store, mirrors, arguments));
    let names: Vec<_> = mirrors.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    match &synced {
        Ok(()) => plugged::notice(&format!("{names} is up to date and safe to unplug")),
        Err(error) => plugged::notice(&format!("{names} is not up to date: {}", failure::line(error))),
    }
    synced
}

fn run_all(store: &Path, mirrors: &[(String, Definition)], arguments: &MirrorSync) -> Result<()> {
    let mut reports = Vec::new();
    let mut outcomes = BTreeMap::new();
    let synced = with_each(
        mirrors,
        |name| format!("cannot sync {name}"),
        |name, definition| {
            if !outcomes.contains_key(name) {
                let group = Group::of(store, definition, mirrors)?;
                outcomes.extend(group.names().zip(group.run(arguments)));
            }
            let report = outcomes.remove(name).with_context(|| format!("{name} is in no group"))??;
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
    synced
}

/// Mirrors of one source, which are synced at once: what more than one of them lacks is read once.
struct Group<'a> {
    from: Place,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    name: &'a str,
    definition: &'a Definition,
    to: Place,
}

impl<'a> Group<'a> {
    /// Those that have the source of one of them.
    fn of(store: &Path, one: &Definition, mirrors: &'a [(String, Definition)]) -> Result<Self> {
        let (from, _) = sides(store, one)?;
        let mut members: Vec<Member<'a>> = Vec::new();
        for (name, definition) in mirrors.iter().filter(|(_, definition)| definition.identity == one.identity) {
            // One whose place makes no sense fails by itself, in its own turn.
            let Ok((its_from, to)) = sides(store, definition) else { continue };
            if its_from == from && members.iter().all(|member| member.to != to) {
                members.push(Member { name, definition, to });
            }
        }
        Ok(Self { from, members })
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.members.iter().map(|member| member.name).collect::<Vec<_>>().into_iter()
    }

    /// Syncs them; gives how it went, in their order.
    fn run(&self, arguments: &MirrorSync) -> Vec<Result<Report>> {
        let started = Instant::now();
        let source = match self.open_source() {
            Ok(source) => source,
            Err(error) => return self.all_failed(error),
        };
        let targets: Vec<_> = self.members.iter().map(|member| Reached::open(&member.to, IfMissing::Fail)).collect();
        let opened: Vec<_> = targets.iter().flatten().collect();
        let names: Vec<_> = self.names().collect();
        let mut synced = match Bar::new(&names.join(", ")).and_then(|bar| self.sync(&source, &opened, arguments, &bar))
        {
            Ok(synced) => synced.into_iter(),
            Err(error) => return self.all_failed(error),
        };
        let finish = |(member, target): (&Member<'a>, Result<Reached>)| {
            let target = target?;
            let synced = synced.next().context("a replica has no outcome")??;
            let is_here = target.is_here();
            target.close()?;
            Ok(report(member, &self.from, arguments, &synced, started.elapsed(), is_here))
        };
        let reports = self.members.iter().zip(targets).map(finish).collect();
        match source.close() {
            Ok(()) => reports,
            Err(error) => self.all_failed(error),
        }
    }

    fn open_source(&self) -> Result<Reached> {
        if let Place::Directory(store) = &self.from {
            sync_kernels(store)?;
        }
        Reached::open(&self.from, IfMissing::Fail)
    }

    fn all_failed(&self, error: anyhow::Error) -> Vec<Result<Report>> {
        let line = failure::line(&error);
        let others = self.members.iter().skip(1).map(|_| Err(anyhow!(line.clone())));
        [Err(error)].into_iter().chain(others).collect()
    }

    /// Syncs those whose targets could be reached.
    fn sync(
        &self,
        source: &Reached,
        targets: &[&Reached],
        arguments: &MirrorSync,
        bar: &Bar,
    ) -> Result<Vec<Result<Synced>>> {
        let mut synced = self.sync_once(source, targets, arguments, bar)?;
        for (synced, target) in synced.iter_mut().zip(targets) {
            // What the replica has let go of takes space until somebody needs it: a drive has no node that would collect it beforehand.
            if synced.as_ref().is_err_and(is_full) && target.collect_garbage()? {
                let again = self.sync_once(source, &[target], arguments, bar)?.pop();
                *synced = again.context("a replica has no outcome")?;
            }
        }
        bar.clear();
        Ok(synced)
    }

    fn sync_once(
        &self,
        source: &Reached,
        targets: &[&Reached],
        arguments: &MirrorSync,
        bar: &Bar,
    ) -> Result<Vec<Result<Synced>>> {
        let [Member { definition, .. }, ..] = &self.members[..] else { return Ok(Vec::new()) };
        let source = source.source(&definition.identity)?;
        let mode = ReplicaMode { create: false, replace: arguments.replace };
        let replicas: Vec<_> = targets.iter().map(|target| target.replica(source.origin(), mode)).collect();
        let opened: Vec<_> = replicas.iter().flatten().map(|replica| &**replica).collect();
        let show = |progress| bar.show(progress);
        let options = SyncOptions {
            bytes_per_second_max: arguments.limit_rate,
            progress: Some(&show),
            is_dry_run: arguments.dry_run,
        };
        let mut synced = mirror::sync_all(&*source, &opened, &options).into_iter();
        let finish = |replica: Result<_>| {
            replica?;
            Ok(synced.next().context("a replica has no outcome")??)
        };
        Ok(replicas.into_iter().map(finish).collect())
    }
}

fn is_full(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(mirror::Error::Store { side: Side::Target, error: block::Error::Full }))
}

fn report(
    member: &Member<'_>,
    from: &Place,
    arguments: &MirrorSync,
    synced: &Synced,
    elapsed: Duration,
    is_here: bool,
) -> Report {
    Report {
        mirror: member.name.to_owned(),
        volume: member.definition.volume.clone(),
        source: from.to_string(),
        replica: member.to.to_string(),
        is_dry_run: arguments.dry_run,
        unchanged: synced.is_unchanged,
        seconds: elapsed.as_secs_f64(),
        blocks: synced.sent.blocks,
        bytes: synced.sent.bytes,
        content_bytes: synced.sent.content_bytes,
        saved_bytes: synced.state.logical_bytes().saturating_sub(synced.sent.bytes),
        kept: synced.kept,
        root: synced.state.tree().map(|root| root.to_string()),
        safe_to_unplug: is_here && !arguments.dry_run,
    }
}

/// Digits of a root that tell it from others, for people.
const ROOT_DIGITS: usize = 12;

fn text(report: &Report) -> String {
    let Report { mirror, volume, seconds, blocks, .. } = report;
    let (sent, saved) = (output::bytes(report.bytes), output::bytes(report.saved_bytes));
    if report.is_dry_run {
        return format!("{mirror}: {blocks} blocks, {sent} of {volume} would be sent ({saved} saved)");
    }
    let root = report.root.as_deref().map_or("nothing", |root| &root[..ROOT_DIGITS]);
    let end = if report.safe_to_unplug { "safe to unplug" } else { "durable there" };
    if report.unchanged {
        return format!("{mirror}: has {volume} at {root} already; {end}");
    }
    format!(
        "{mirror}: {blocks} blocks, {sent} of {volume} sent in {seconds:.2} s ({saved} saved); has {root} now; {end}"
    )
}
