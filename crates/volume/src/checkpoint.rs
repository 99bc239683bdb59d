//! Checkpoints: the overlay goes into the tree, and a new root makes the journal before it needless.

use crate::commit::Journal;
use crate::edits::edits;
use crate::journal::Counters;

use crate::kept::Kept;
use crate::limits::ROOT_AGE_BYTES_MAX;
use crate::overlay::FrozenOverlay;
use crate::root::Root;
use crate::sealed::Sealed;
use crate::shared::Shared;
use crate::{Result, Timestamp, Volume};
use block::{Blocks, Damage, DamagedSubject, Name, Position, RecordKind};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tree::Tree;

/// Held while a checkpoint is under way. One that failed is kept here, to be tried again before anything else is frozen.
#[derive(Default)]
pub(crate) struct Checkpointing {
    unfinished: Option<Frozen>,
}

/// An overlay on its way into the tree, with the state it stands for.
struct Frozen {
    overlay: Arc<FrozenOverlay>,
    root: Root,
}

/// The root that is on disk.
#[derive(Clone, Debug)]
pub(crate) struct LastCheckpoint {
    pub(crate) tree: Option<Name>,
    pub(crate) sealed: Option<Sealed>,
    pub(crate) counters: Counters,
    pub(crate) taken: Timestamp,
    /// The last group that is in it.
    pub(crate) sequence: u64,
    /// Since when the root is there, for the next one's time.
    pub(crate) at: Instant,
    /// The log's length when the root was written.
    log_bytes: u64,
    /// Where the journal behind the root begins.
    pub(crate) replay_from: Position,
}

impl LastCheckpoint {
    pub(crate) fn of(root: &Root, shared: &Shared) -> Self {
        Self {
            tree: root.tree,
            sealed: root.sealed,
            counters: root.counters,
            taken: root.taken,
            sequence: root.sequence,
            at: Instant::now(),
            log_bytes: shared.store.statistics().log_bytes,
            replay_from: root.replay_from,
        }
    }
}

impl Volume {
    /// Brings everything accepted so far into the tree and makes the new root durable. Operations go on meanwhile.
    pub fn checkpoint(&self) -> Result<()> {
        self.settle_accesses();
        self.checkpoint_changes()
    }

    /// The same, but for times of access that are kept aside.
    pub(crate) fn checkpoint_changes(&self) -> Result<()> {
        if self.damage().is_some() {
            return Ok(());
        }
        let mut checkpointing = self.begin_checkpoint()?;
        if self.layers.overlay.is_empty() && !self.is_root_old() {
            return Ok(self.shared.store.sync()?);
        }
        self.checkpoint_keeping(&mut checkpointing, |kept, _| Ok(kept.clone()))?;
        self.shared.store.refresh_copies();
        Ok(())
    }

    /// Writes the root record anew, even if nothing has changed: the one on disk, or the journal behind it, is damaged.
    pub(crate) fn renew_root(&self) -> Result<()> {
        self.renew_root_keeping(|kept| Ok(kept.clone()))
    }

    /// The same, of a volume that has fallen back to an earlier state. Nobody deleted what it lost, so it has met nobody.
    pub(crate) fn renew_fallen_back(&self) -> Result<()> {
        self.renew_root_keeping(Kept::reborn)
    }

    fn renew_root_keeping(&self, keep: impl FnOnce(&Kept) -> Result<Kept>) -> Result<()> {
        let mut checkpointing = self.begin_checkpoint()?;
        self.checkpoint_keeping(&mut checkpointing, |kept, _| keep(kept))?;
        self.shared.store.refresh_copies();
        Ok(())
    }

    /// Whether a damaged stretch of the log holds, or may hold, the newest root or a part of the journal behind it.
    pub(crate) fn needs_record_in(&self, damage: &Damage) -> bool {
        let root = self.shared.store.latest_root_position(self.id.0);
        let end = Position::from_u64(damage.position.to_u64() + damage.bytes as u64);
        let has_root = root.is_some_and(|root| (damage.position..end).contains(&root));
        let is_in_journal = damage.position >= self.last_checkpoint.lock().replay_from;
        match damage.subject {
            DamagedSubject::Block(_) => false,
            DamagedSubject::Record { stream, .. } if stream != self.id.0 => false,
            DamagedSubject::Record { kind: RecordKind::Root, .. } => has_root,
            DamagedSubject::Record { kind: RecordKind::Intent, .. } => is_in_journal,
            DamagedSubject::Unknown => has_root || is_in_journal,
        }
    }

    /// The blocks that the newest root links to.
    pub(crate) fn root_links(&self) -> Vec<Name> {
        let tree = self.layers.base.load().tree.root();
        let slots = self.last_checkpoint.lock().sealed.and_then(|sealed| sealed.slots);
        tree.into_iter().chain(self.kept().root()).chain(slots).collect()
    }

    /// Keeps other checkpoints away, and finishes one that failed.
    pub(crate) fn begin_checkpoint(&self) -> Result<MutexGuard<'_, Checkpointing>> {
        self.check_sound()?;
        let mut checkpointing = self.checkpointing.lock();
        if let Some(frozen) = checkpointing.unfinished.take() {
            self.finish(&mut checkpointing, frozen, |kept, _| Ok(kept.clone()))?;
        }
        Ok(checkpointing)
    }

    /// A checkpoint of everything accepted so far whose root record keeps what `keep` makes of what is kept. If it fails, nothing
    /// else is kept than before; a later checkpoint brings the changes in.
    pub(crate) fn checkpoint_keeping(
        &self,
        checkpointing: &mut Checkpointing,
        keep: impl FnOnce(&Kept, &Root) -> Result<Kept>,
    ) -> Result<()> {
        if self.contents.is_locked() {
            return self.shared.store.with_reserve(|| self.keep_while_locked(keep));
        }
        let frozen = self.freeze(checkpointing)?;
        self.finish(checkpointing, frozen, keep)
    }

    /// Another root of the same state, which nobody can change now. What the journal has behind it stays there.
    fn keep_while_locked(&self, keep: impl FnOnce(&Kept, &Root) -> Result<Kept>) -> Result<()> {
        let root = self.last_root(self.journal.lock().sequence);
        let kept = keep(&self.kept(), &root)?;
        let root = Root { kept: kept.root(), ..root };
        self.append_root(&root)?;
        self.kept.store(Arc::new(kept));
        *self.last_checkpoint.lock() = LastCheckpoint::of(&root, &self.shared);
        Ok(())
    }

    /// The root of the last checkpoint, but for what is kept. `sequence` is the number of the last group that is in it.
    pub(crate) fn last_root(&self, sequence: u64) -> Root {
        let last = self.last_checkpoint.lock();
        let replay_from = match self.has_locked_journal.load(Ordering::SeqCst) {
            true => last.replay_from,
            false => self.shared.store.position(),
        };
        let LastCheckpoint { tree, sealed, counters, taken, .. } = *last;
        Root { tree, kept: None, sequence, replay_from, counters, hash_seed: self.hash_seed, taken, sealed }
    }

    /// Whether so much log lies behind the root that recovery would look far back for it.
    pub(crate) fn is_root_old(&self) -> bool {
        let log_bytes = self.shared.store.statistics().log_bytes;
        let age_bytes = log_bytes.saturating_sub(self.last_checkpoint.lock().log_bytes);
        age_bytes > ROOT_AGE_BYTES_MAX && self.damage().is_none()
    }

    fn freeze(&self, checkpointing: &mut Checkpointing) -> Result<Frozen> {
        let mut journal = self.journal.lock();
        let taken = self.now();
        let cut = self.cut(&mut journal, || self.layers.freeze());
        self.freeze_cut(checkpointing, &mut journal, taken, cut)
    }

    fn freeze_cut(
        &self,
        checkpointing: &mut Checkpointing,
        journal: &mut Journal,
        taken: Timestamp,
        (counters, overlay): (Counters, Arc<FrozenOverlay>),
    ) -> Result<Frozen> {
        let written = self.append_group(journal, counters);
        let root = Root {
            tree: None,
            kept: None,
            sequence: journal.sequence,
            replay_from: self.shared.store.position(),
            counters,
            hash_seed: self.hash_seed,
            taken,
            sealed: self.last_checkpoint.lock().sealed,
        };
        journal.bytes = 0;
        let frozen = Frozen { overlay, root };
        if let Err(error) = written {
            checkpointing.unfinished = Some(frozen);
            return Err(error);
        }
        Ok(frozen)
    }

    fn finish(
        &self,
        checkpointing: &mut Checkpointing,
        frozen: Frozen,
        keep: impl FnOnce(&Kept, &Root) -> Result<Kept>,
    ) -> Result<()> {
        match self.shared.store.with_reserve(|| self.write_root(&frozen, keep)) {
            Ok(()) => Ok(()),
            Err(error) => {
                checkpointing.unfinished = Some(frozen);
                Err(error)
            }
        }
    }

    fn write_root(&self, frozen: &Frozen, keep: impl FnOnce(&Kept, &Root) -> Result<Kept>) -> Result<()> {
        let (tree, mut root) = self.write_tree(frozen)?;
        // What goes may not be opened from here on until it is gone.
        let (kept, _going) = self.kept_after(&root)?;
        let kept = keep(&kept, &root)?;
        root.kept = kept.root();
        self.append_root(&root)?;
        self.layers.rebase(tree);
        self.kept.store(Arc::new(kept));
        *self.last_checkpoint.lock() = LastCheckpoint::of(&root, &self.shared);
        Ok(())
    }

    fn write_tree(&self, frozen: &Frozen) -> Result<(Tree, Root)> {
        let batch = edits(&frozen.overlay, &*self.contents.blocks)?;
        let tree = self.layers.base.load().tree.apply(batch)?;
        let root = Root { tree: tree.root(), ..frozen.root.clone() }.tagged(&self.contents)?;
        Ok((tree, root))
    }

    fn append_root(&self, root: &Root) -> Result<()> {
        let store = &self.shared.store;
        store.append(&root.record(self.id.0))?;
        Ok(store.sync_log()?)
    }

    /// A checkpoint behind which another state is in force: what `replace` makes of what is kept and of the root of the state before.
    /// All operations wait meanwhile. If it fails, everything is as it was.
    pub(crate) fn checkpoint_replacing(
        &self,
        checkpointing: &mut Checkpointing,
        replace: impl FnOnce(&Kept, &Root) -> Result<(Kept, Root)>,
    ) -> Result<()> {
        let mut journal = self.journal.lock();
        let closed = self.gate.write();
        let taken = self.now();
        let cut = self.cut_closed(&closed, &mut journal, || self.layers.freeze());
        let frozen = self.freeze_cut(checkpointing, &mut journal, taken, cut)?;
        let replaced = self.write_replacing_root(&frozen, replace);
        if replaced.is_err() {
            checkpointing.unfinished = Some(frozen);
        }
        replaced
    }

    fn write_replacing_root(
        &self,
        frozen: &Frozen,
        replace: impl FnOnce(&Kept, &Root) -> Result<(Kept, Root)>,
    ) -> Result<()> {
        let (_, before) = self.write_tree(frozen)?;
        let (kept, _going) = self.kept_after(&before)?;
        let (kept, root) = replace(&kept, &before)?;
        let root = Root { kept: kept.root(), ..root };
        self.append_root(&root)?;
        self.replace_state(&root, kept);
        self.shared.store.refresh_copies();
        Ok(())
    }
}
