//! A volume that is encrypted: unlocked, locked, and the block of its key slots.
//!
//! A locked volume is there as its last checkpoint left it. It can be mirrored, received, thinned out and scrubbed; nothing in it can be
//! read or changed. Changes that only the journal has wait until it is unlocked.

use crate::pool::PoolError;
use crate::sealed::Sealed;
use crate::{Error, Result, Volume};
use block::{Blocks, Name};
use seal::{KeySlots, VolumeKey};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Volume {
    /// Whether the volume is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.contents.encryption.is_some()
    }

    /// Whether it is encrypted and its key is not here.
    pub fn is_locked(&self) -> bool {
        self.contents.is_locked()
    }

    /// The block of the key slots.
    pub(crate) fn slots_block(&self) -> Option<Name> {
        self.last_checkpoint.lock().sealed.and_then(|sealed| sealed.slots)
    }

    /// The key slots of an encrypted volume.
    pub(crate) fn key_slots(&self) -> std::result::Result<KeySlots, PoolError> {
        let nothing = Error::NotSupported("unlocking a replica that has received nothing yet");
        let block = self.shared.store.get(&self.slots_block().ok_or(nothing)?)?;
        Ok(KeySlots::decode(&block.body)?)
    }

    /// Gives the volume its key, which was compared with the slots, and brings in what the journal has. Refused if nobody with the key
    /// made the state that the last root names.
    pub(crate) fn unlock(&self, key: VolumeKey) -> Result<()> {
        {
            let _checkpointing = self.checkpointing.lock();
            if !self.is_locked() {
                return Ok(());
            }
            let mut journal = self.journal.lock();
            let _closed = self.gate.write();
            self.contents.set_key(Some(Arc::new(key)));
            if let Err(error) = self.last_root(journal.sequence).check(&self.contents) {
                self.contents.set_key(None);
                return Err(error);
            }
            if let Err(error) = self.replay_unlocked(&mut journal) {
                // Some of the journal may be in the overlay.
                self.contents.set_key(None);
                self.damage.get_or_init(|| error.to_string());
                return Err(error);
            }
            self.has_locked_journal.store(false, Ordering::SeqCst);
        }
        self.reclaim_at_start()?;
        self.leave_shared_lane()
    }

    /// Where the disk does not let that be, numbers that two sides give are told apart when they meet.
    fn leave_shared_lane(&self) -> Result<()> {
        let can_write = !self.is_replica() && self.damage().is_none() && !self.shared.store.is_closed();
        if can_write
            && self.kept().shares_lane()?
            && let Err(error) = self.leave_lane()
        {
            tracing::warn!(volume = %self.id, %error, "numbers of inodes are given that others may give too");
        }
        Ok(())
    }

    /// Takes the key from the volume, once everything is in its tree.
    pub(crate) fn lock(&self) -> Result<()> {
        self.check_sound()?;
        loop {
            self.checkpoint()?;
            let _checkpointing = self.begin_checkpoint()?;
            let journal = self.journal.lock();
            let _closed = self.gate.write();
            if self.layers.overlay.is_empty() && journal.is_written() {
                self.contents.set_key(None);
                return Ok(());
            }
        }
    }

    /// Makes a clone of an unlocked volume as unlocked as that.
    pub(crate) fn share_key_of(&self, source: &Volume) {
        self.contents.set_key(source.contents.encryption.as_ref().and_then(|encryption| encryption.key()));
    }

    /// Puts other key slots in force: a root record of the same state that names them.
    pub(crate) fn set_slots_block(&self, slots: Name) -> Result<()> {
        let mut checkpointing = self.begin_checkpoint()?;
        let before = self.last_checkpoint.lock().sealed;
        self.last_checkpoint.lock().sealed = before.map(|sealed| Sealed { slots: Some(slots), ..sealed });
        let kept = self.checkpoint_keeping(&mut checkpointing, |kept, _| Ok(kept.clone()));
        if kept.is_err() {
            self.last_checkpoint.lock().sealed = before;
        }
        kept
    }

    /// Refuses what would lose the changes that only a locked journal has.
    pub(crate) fn check_journal_unlocked(&self) -> Result<()> {
        match self.is_locked() && self.has_locked_journal.load(Ordering::SeqCst) {
            true => Err(block::Error::NoKey.into()),
            false => Ok(()),
        }
    }
}
