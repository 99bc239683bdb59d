//! Commits: what was accepted so far becomes a group of the journal.
//!
//! A commit closes the gate, takes what is pending, and opens the gate again; data becomes blocks and the group is written
//! afterwards, beside the operations that follow. Callers of [`Volume::sync`] that come while a commit is under way share the
//! next one.

use crate::change::Change;
use crate::journal::{self, Counters, EncodedPart};
use crate::{Inode, Result, Volume};
use block::{Blocks, Name, Record, RecordKind};
use parking_lot::RwLockWriteGuard;
use seal::Context;
use std::sync::atomic::Ordering;

/// The end of a volume's journal.
pub(crate) struct Journal {
    /// The last group's number.
    pub(crate) sequence: u64,
    /// Bytes of groups since the last checkpoint.
    pub(crate) bytes: u64,
    /// What was cut but could not be written: it goes before everything else.
    unwritten: Vec<(Inode, Change)>,
}

impl Journal {
    pub(crate) fn behind(sequence: u64) -> Self {
        Self { sequence, bytes: 0, unwritten: Vec::new() }
    }

    /// Shows the blocks that changes refer to which it does not have yet.
    pub(crate) fn visit_blocks(&self, visit: &mut dyn FnMut(Name)) {
        for (_, change) in &self.unwritten {
            if let Change::Extent { extent: Some(extent), .. } = change {
                extent.source.stored_name().into_iter().for_each(&mut *visit);
            }
        }
    }

    /// Whether the journal has everything that was cut.
    pub(crate) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }
}

impl Volume {
    /// Returns when every operation that ended before the call is durable.
    pub fn sync(&self) -> Result<()> {
        let synced = self.commit().and_then(|()| Ok(self.shared.store.sync()?));
        if synced.is_err() {
            // The maintenance thread tries whether the disk works again.
            self.shared.wake.wake();
        }
        synced
    }

    /// Brings every operation that ended before the call into the log, without waiting for the disk.
    pub(crate) fn commit(&self) -> Result<()> {
        let cuts_before = self.epoch.load(Ordering::SeqCst);
        let mut journal = self.journal.lock();
        let cuts_since = self.epoch.load(Ordering::SeqCst) - cuts_before;
        if cuts_since > 0 && journal.is_written() {
            return Ok(());
        }
        let (counters, ()) = self.cut(&mut journal, || ());
        self.append_group(&mut journal, counters)
    }

    /// Takes the state between two operations, and does what else has to happen there.
    pub(crate) fn cut<R>(&self, journal: &mut Journal, at_the_cut: impl FnOnce() -> R) -> (Counters, R) {
        let closed = self.gate.write();
        self.cut_closed(&closed, journal, at_the_cut)
    }

    /// As [`Volume::cut`], where the gate is closed already.
    pub(crate) fn cut_closed<R>(
        &self,
        _closed: &RwLockWriteGuard<'_, ()>,
        journal: &mut Journal,
        at_the_cut: impl FnOnce() -> R,
    ) -> (Counters, R) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        journal.unwritten.append(&mut self.layers.overlay.take_pending());
        (self.counts.get(), at_the_cut())
    }

    /// Appends what was cut as one group. What cannot be written stays, and is part of the next group, under the same number:
    /// the first part of the group that replaces it makes recovery drop those that were written. A last part that was written
    /// and reported as failed would count twice, so a store refuses all appends after one failed.
    pub(crate) fn append_group(&self, journal: &mut Journal, counters: Counters) -> Result<()> {
        self.shared.store.with_reserve(|| self.append_group_of(journal, counters))
    }

    fn append_group_of(&self, journal: &mut Journal, counters: Counters) -> Result<()> {
        if journal.is_written() {
            return Ok(());
        }
        let store = &self.shared.store;
        let encryption = self.contents.encryption.as_ref();
        let sealing = encryption.map(|encryption| Result::Ok((encryption.key_or_error()?, encryption.identity.0)));
        let sealing = sealing.transpose()?;
        let mut bytes = 0;
        journal::encode(
            journal.sequence + 1,
            counters,
            &journal.unwritten,
            &*self.contents.blocks,
            &mut |EncodedPart { links, body }| {
                let body = match &sealing {
                    Some((key, identity)) => key.seal(Context::Journal(*identity), &links, &body),
                    None => body,
                };
                bytes += body.len() as u64;
                store.append(&Record { kind: RecordKind::Intent, stream: self.id.0, links, body })?;
                Ok(())
            },
        )?;
        journal.bytes += bytes;
        journal.sequence += 1;
        journal.unwritten.clear();
        Ok(())
    }
}
