//! A sync's work on a replica: blocks go into packs, packs on their way, and a manifest puts it all in force.
//!
//! Invariants:
//!
//! - A pack is put only when those put before it are there, so whatever a pack's blocks link to is in it, in an earlier one, or in
//!   the manifest that the sync builds on. What a sync that was cut off has put is there for the next one that builds on the same.
//! - Nothing that is there is changed, and what a manifest in force needs is not taken away.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::index::Index;
use crate::limits::{PACK_BYTES, PRUNE_BYTES_MIN, RETIRED_SECONDS};
use crate::manifest::{Manifest, Retired};
use crate::pack::{self, Draft};
use crate::place::ObjectId;
use crate::prune;
use block::{Name, PackedBlock};
use std::collections::HashSet;
use std::thread::JoinHandle;
use volume::{Archive, KeptRoot, Retention, State, Timestamp, Witnesses};

/// A sync's work.
pub(crate) struct Work {
    pub(crate) home: Home,
    /// What it builds on.
    pub(crate) manifest: Manifest,
    pub(crate) index: Index,
    draft: Draft,
    drafted: HashSet<Name>,
    upload: Option<JoinHandle<Result<()>>>,
    added_bytes: u64,
}

/// Bytes of a pack that are fetched to see its table: enough for most.
const TABLE_BYTES: u64 = 64 << 10;

impl Work {
    /// On a manifest, and on what a sync that was cut off has brought since.
    pub(crate) fn begin(home: &Home, manifest: Manifest) -> Result<Self> {
        let index = Index::new(home.clone(), manifest.sequence, manifest.runs.clone());
        let mut work = Self {
            home: home.clone(),
            index,
            draft: Draft::default(),
            drafted: HashSet::new(),
            upload: None,
            added_bytes: 0,
            manifest,
        };
        for (pack, bytes) in work.home.packs_on(work.manifest.sequence)? {
            let key = work.home.pack(pack);
            let mut head = work.home.bucket.get_ranges(&[(key.clone(), 0..bytes.min(TABLE_BYTES))])?.remove(0);
            let damaged = || work.home.bucket.corrupt(&key, "the pack is damaged; remove it");
            let table_bytes = pack::table_bytes(&head).ok_or_else(damaged)? as u64;
            if table_bytes > head.len() as u64 {
                head = work.home.bucket.get_ranges(&[(key.clone(), 0..table_bytes.min(bytes))])?.remove(0);
            }
            let places = pack::table(&head, pack).ok_or_else(damaged)?;
            work.index.insert(places)?;
            work.added_bytes += bytes;
        }
        Ok(work)
    }

    /// Those of the names that are not there, in their order.
    pub(crate) fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        let found = self.index.find(names)?;
        Ok(names.iter().filter(|name| !found.contains_key(name) && !self.drafted.contains(name)).copied().collect())
    }

    /// Takes a block; false if it is on its way already.
    pub(crate) fn put(&mut self, block: &PackedBlock) -> Result<bool> {
        let corrupt = |error| Error::from(mirror::Error::Store { side: mirror::Side::Source, error });
        block.unpack().map_err(corrupt)?;
        if !self.drafted.insert(block.name()) {
            return Ok(false);
        }
        self.draft.push(block.clone());
        if self.draft.bytes() >= PACK_BYTES {
            self.send()?;
        }
        Ok(true)
    }

    /// Sends what is drafted on its way, once what was before it is there.
    fn send(&mut self) -> Result<()> {
        self.arrive()?;
        if self.draft.is_empty() {
            return Ok(());
        }
        let pack = ObjectId::new(self.manifest.sequence);
        let (bytes, places) = std::mem::take(&mut self.draft).build(pack);
        self.drafted.clear();
        self.added_bytes += bytes.len() as u64;
        self.index.insert(places)?;
        let (bucket, key) = (self.home.bucket.clone(), self.home.pack(pack));
        self.upload = Some(std::thread::spawn(move || bucket.put(&key, bytes)));
        Ok(())
    }

    /// Waits until what was sent is there.
    fn arrive(&mut self) -> Result<()> {
        let Some(upload) = self.upload.take() else { return Ok(()) };
        upload.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Makes everything that was put durable.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.send()?;
        self.arrive()
    }

    /// Puts a state in force, with kept roots that came with it.
    pub(crate) fn receive(&mut self, state: &State, witnesses: &Witnesses, offered: &[KeptRoot]) -> Result<()> {
        let kept = self.kept_with(state, witnesses, offered)?;
        let is_gone = |root: &KeptRoot| root.tree().is_some() && !kept.iter().any(|kept| kept.tree() == root.tree());
        let has_lost_state = self
            .manifest
            .state
            .tree()
            .is_some_and(|tree| state.tree() != Some(tree) && !kept.iter().any(|kept| kept.tree() == Some(tree)));
        let has_garbage = self.manifest.has_garbage || has_lost_state || self.manifest.kept.iter().any(is_gone);
        self.commit(|manifest| {
            manifest.state = *state;
            manifest.witnesses = witnesses.clone();
            manifest.kept = kept;
            manifest.has_garbage = has_garbage;
        })?;
        if self.is_prune_due() {
            self.prune()?;
        }
        Ok(())
    }

    fn kept_with(&self, state: &State, witnesses: &Witnesses, offered: &[KeptRoot]) -> Result<Vec<KeptRoot>> {
        let retention = retention(&self.manifest)?;
        let held = self.manifest.state.tree();
        let goes_on = self.manifest.witnesses.had_past_of(held, (state.tree(), witnesses));
        let kept = Archive::new(&self.manifest.kept)
            .and_then(|archive| if goes_on { Ok(archive) } else { archive.reborn() })
            .and_then(|archive| archive.with_received(state, offered, &retention, now()))
            .and_then(|archive| archive.roots());
        kept.map_err(of_volume)
    }

    /// Makes what was put durable, and puts the next manifest in force.
    pub(crate) fn commit(&mut self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        self.settle()?;
        let mut manifest = self.manifest.clone();
        manifest.runs = self.index.settled_runs()?;
        manifest.added_bytes += std::mem::take(&mut self.added_bytes);
        change(&mut manifest);
        let merged = std::mem::take(&mut self.index.merged);
        self.put_in_force(manifest, merged.into_iter().map(|id| (id, true)))
    }

    fn put_in_force(&mut self, mut manifest: Manifest, gone: impl Iterator<Item = (ObjectId, bool)>) -> Result<()> {
        let since = now().seconds;
        manifest.sequence += 1;
        manifest.writer = ObjectId::new(0).random;
        manifest.retired.extend(gone.map(|(id, is_index)| Retired { since, id, is_index }));
        // Where the clock has gone back they wait for longer.
        let is_due = |retired: &Retired| since.saturating_sub(retired.since) > RETIRED_SECONDS;
        let (due, waiting) = manifest.retired.into_iter().partition(is_due);
        manifest.retired = waiting;
        if !self.home.commit(&manifest)? {
            return Err(self.home.overtaken(&manifest));
        }
        self.index = Index::new(self.home.clone(), manifest.sequence, manifest.runs.clone());
        self.manifest = manifest;
        self.remove(due)
    }

    fn remove(&self, due: Vec<Retired>) -> Result<()> {
        let key =
            |retired: &Retired| if retired.is_index { self.home.index(retired.id) } else { self.home.pack(retired.id) };
        let keys: Vec<_> = due.iter().map(key).collect();
        self.home.bucket.delete(&keys)
    }

    fn is_prune_due(&self) -> bool {
        let Manifest { has_garbage, added_bytes, live_bytes, .. } = self.manifest;
        has_garbage && added_bytes > PRUNE_BYTES_MIN.max(live_bytes / 2)
    }

    /// Gives back the space of what nothing needs.
    pub(crate) fn prune(&mut self) -> Result<()> {
        let pruned = prune::prune(&self.home, &self.manifest, &self.index)?;
        let mut manifest = self.manifest.clone();
        manifest.runs = pruned.runs;
        manifest.live_bytes = pruned.live_bytes;
        manifest.added_bytes = 0;
        manifest.has_garbage = false;
        // What waits to go waits on, and is not found anew.
        let waiting: HashSet<_> = manifest.retired.iter().map(|retired| retired.id).collect();
        let gone = pruned.gone.into_iter().filter(|(id, _)| !waiting.contains(id));
        self.put_in_force(manifest, gone.collect::<Vec<_>>().into_iter())
    }
}

/// The time by this machine.
pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

/// What a replica keeps of history.
pub(crate) fn retention(manifest: &Manifest) -> Result<Retention> {
    let text = &manifest.retention;
    text.parse().map_err(|error: volume::BadRetention| mirror::Error::Objects { why: error.to_string() }.into())
}

pub(crate) fn of_volume(error: volume::Error) -> Error {
    mirror::Error::Pool { side: mirror::Side::Target, error: error.into() }.into()
}
