//! Mirrors of one source, which are synced at once: what more than one of them lacks is read once.

use super::progress::Bar;
use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, Place, sides};
use crate::arguments::MirrorSync;
use crate::commands::sync::sync_kernels;
use crate::failure;
use anyhow::{Context, Result, anyhow, bail, ensure};
use mirror::{Helped, ReplicaMode, ReplicaVolume, Side, SyncOptions, Synced, preview};
use std::path::Path;
use std::time::{Duration, Instant};
use volume::{Difference, Pool};

pub(super) struct Group<'a> {
    from: Place,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    name: &'a str,
    definition: &'a Definition,
    to: Place,
}

/// How a sync went.
pub(super) struct Done {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) synced: Synced,
    pub(super) elapsed: Duration,
    /// Bytes that came from helpers, to all of the group together.
    pub(super) helped_bytes: u64,
    /// Whether nobody has the replica's store any more.
    pub(super) is_free: bool,
    /// What changes for who reads the replica: found out for a dry run, and where names can be read.
    pub(super) changes: Option<Vec<Difference>>,
}

/// How it went with a target, or would go.
type Went = (Synced, Option<Vec<Difference>>);

/// Other mirrors' stores that give blocks which they have (`--from`).
pub(super) fn open_helpers(store: &Path, synced: &[(String, Definition)], names: &[String]) -> Result<Vec<Pool>> {
    let open = |name: &String| {
        let place = Definitions::read(store)?.get(name)?.place()?;
        let is_synced = synced.iter().any(|(synced, _)| synced == name);
        ensure!(!is_synced, "{name} is to be synced itself; --from takes another mirror");
        match Reached::open(&place, IfMissing::Fail)? {
            Reached::Here(pool) => Ok(pool),
            _ => bail!("--from takes a mirror on a drive, which no node has; {name} is at {place}"),
        }
    };
    names.iter().map(open).collect()
}

impl<'a> Group<'a> {
    /// Those that have the source of one of them.
    pub(super) fn of(store: &Path, one: &Definition, mirrors: &'a [(String, Definition)]) -> Result<Self> {
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

    /// Syncs them; gives how it went with each.
    pub(super) fn run(&self, helpers: &[Pool], arguments: &MirrorSync) -> Vec<(&'a str, Result<Done>)> {
        let done = self.try_run(helpers, arguments).unwrap_or_else(|error| {
            let line = failure::line(&error);
            let others = self.members.iter().skip(1).map(|_| Err(anyhow!(line.clone())));
            [Err(error)].into_iter().chain(others).collect()
        });
        self.members.iter().map(|member| member.name).zip(done).collect()
    }

    /// Fails as a whole where the source does.
    fn try_run(&self, helpers: &[Pool], arguments: &MirrorSync) -> Result<Vec<Result<Done>>> {
        let started = Instant::now();
        if let Place::Directory(store) = &self.from {
            sync_kernels(store)?;
        }
        let source = Reached::open(&self.from, IfMissing::Fail)?;
        let targets: Vec<_> = self.members.iter().map(|member| Reached::open(&member.to, IfMissing::Fail)).collect();
        let names: Vec<_> = self.members.iter().map(|member| member.name).collect();
        let bar = Bar::new(&names.join(", "))?;
        let work = Work { group: self, source: &source, helpers, arguments, bar: &bar };
        let outcome = work.sync(&targets.iter().flatten().collect::<Vec<_>>());
        bar.clear();
        let (synced, helped_bytes) = outcome?;
        let mut synced = synced.into_iter();
        let finish = |(member, target): (&Member<'a>, Result<Reached>)| {
            let target = target?;
            let (synced, changes) = synced.next().context("a replica has no outcome")??;
            let is_free = target.is_here();
            target.close()?;
            let (from, to) = (self.from.clone(), member.to.clone());
            Ok(Done { from, to, synced, elapsed: started.elapsed(), helped_bytes, is_free, changes })
        };
        let done = self.members.iter().zip(targets).map(finish).collect();
        source.close()?;
        Ok(done)
    }
}

/// What a group is synced from, and how.
struct Work<'a> {
    group: &'a Group<'a>,
    source: &'a Reached,
    helpers: &'a [Pool],
    arguments: &'a MirrorSync,
    bar: &'a Bar,
}

/// How it went with each target, and the bytes that came from helpers.
type Outcome = (Vec<Result<Went>>, u64);

impl Work<'_> {
    fn sync(&self, targets: &[&Reached]) -> Result<Outcome> {
        let (mut synced, mut helped_bytes) = self.sync_once(targets)?;
        for (synced, target) in synced.iter_mut().zip(targets) {
            // What the replica has let go of takes space until somebody needs it: a drive has no node that would collect it beforehand.
            if synced.as_ref().is_err_and(is_full) {
                let again = self.sync_with_room(target).unwrap_or_else(|error| {
                    // A drive that takes no room back has no more to say than that it is full.
                    tracing::debug!(%error, "the garbage of a full target stays");
                    None
                });
                if let Some((again, bytes)) = again {
                    *synced = again;
                    helped_bytes += bytes;
                }
            }
        }
        Ok((synced, helped_bytes))
    }

    /// Syncs a target that is full once more, if its garbage could be collected.
    fn sync_with_room(&self, target: &Reached) -> Result<Option<(Result<Went>, u64)>> {
        if !target.collect_garbage()? {
            return Ok(None);
        }
        let (mut synced, bytes) = self.sync_once(&[target])?;
        Ok(Some((synced.pop().context("a replica has no outcome")?, bytes)))
    }

    fn sync_once(&self, targets: &[&Reached]) -> Result<Outcome> {
        let identity = self.group.members.first().map(|member| &member.definition.identity);
        let source = self.source.source(identity.context("a group has a member")?)?;
        let helpers: Vec<_> = self.helpers.iter().map(|pool| &**pool.store()).collect();
        let source = Helped::new(&*source, &helpers);
        let mode = ReplicaMode { create: false, replace: self.arguments.replace };
        let origin = mirror::SourceVolume::origin(&source);
        let replicas: Vec<_> = targets.iter().map(|target| target.replica(origin, mode)).collect();
        let opened: Vec<_> = replicas.iter().flatten().map(|replica| &**replica).collect();
        let show = |progress| self.bar.show(progress);
        let options = SyncOptions {
            bytes_per_second_max: self.arguments.limit_rate,
            progress: Some(&show),
            is_dry_run: self.arguments.dry_run,
        };
        let mut synced = mirror::sync_all(&source, &opened, &options).into_iter();
        let finish = |(replica, target): (Result<Box<dyn ReplicaVolume + '_>>, &&Reached)| {
            let replica = replica?;
            let synced = synced.next().context("a replica has no outcome")??;
            let changes = match self.arguments.dry_run {
                true => preview(&source, &replica.held(), &*target.verifiable())?,
                false => None,
            };
            Ok((synced, changes))
        };
        Ok((replicas.into_iter().zip(targets).map(finish).collect(), source.helped_bytes()))
    }
}

fn is_full(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(mirror::Error::Store { side: Side::Target, error: block::Error::Full }))
}
