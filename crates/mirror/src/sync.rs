//! Bringing a replica to the state of its source.

use crate::transfer::{Base, Progress, Sent, TransferOptions, transfer};
use crate::volumes::{ReplicaVolume, SourceVolume};
use crate::{Error, Result, Side, Target};
use block::{Blocks, Name, PackedBlock};
use parking_lot::Mutex;
use std::collections::HashSet;
use volume::State;

/// How a sync is to behave.
#[derive(Default)]
pub struct SyncOptions<'a> {
    /// The most bytes per second.
    pub bytes_per_second_max: Option<u64>,
    /// Is told how far the sync is, some times a second.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Send nothing and change nothing, only find out what would be sent.
    pub is_dry_run: bool,
}

/// What a sync did.
#[derive(Clone, Copy, Debug)]
pub struct Synced {
    /// What was sent.
    pub sent: Sent,
    /// Snapshots and history that the replica has now and had not.
    pub kept: usize,
    /// The state that the replica has now.
    pub state: State,
    /// Whether the replica had it all before.
    pub is_unchanged: bool,
}

/// Brings a replica to the state of its source, and to it what the replica wants of the source's past. The replica has the new
/// state, durably, when this returns, or the one before if it fails.
pub fn sync(source: &dyn SourceVolume, replica: &dyn ReplicaVolume, options: &SyncOptions<'_>) -> Result<Synced> {
    let origin = source.origin();
    let wanted = replica.wanted(&origin.kept)?;
    if wanted.is_empty() && replica.held().is_same(&origin.state) {
        return Ok(Synced { sent: Sent::default(), kept: 0, state: replica.held(), is_unchanged: true });
    }
    let roots = wanted.iter().filter_map(|root| root.tree()).chain(origin.state.roots()).collect();
    let transfer_options = TransferOptions {
        bytes_per_second_max: options.bytes_per_second_max,
        progress: options.progress,
        base: base(source, replica)?,
    };
    let sent = if options.is_dry_run {
        transfer(source, &Imagined::beside(replica), roots, &transfer_options)?
    } else {
        let sent = transfer(source, replica, roots, &transfer_options)?;
        replica.receive(&origin.state, &wanted)?;
        sent
    };
    Ok(Synced { sent, kept: wanted.len(), state: origin.state, is_unchanged: false })
}

/// The state that the replica has, where this process can read it: in the replica's store, or in the source's, if it still has it.
fn base<'a>(source: &'a dyn SourceVolume, replica: &'a dyn ReplicaVolume) -> Result<Option<Base<'a>>> {
    let Some(root) = replica.held().tree() else { return Ok(None) };
    let store = match (replica.store(), source.store()) {
        (Some(store), _) => Some(store),
        (None, Some(store)) => store.contains(&root).map_err(Error::of(Side::Source))?.then_some(store),
        (None, None) => None,
    };
    Ok(store.map(|store| Base { store, roots: vec![root] }))
}

/// A target that would have what it was sent.
pub(crate) struct Imagined<'a> {
    target: &'a dyn Target,
    received: Mutex<HashSet<Name>>,
}

impl<'a> Imagined<'a> {
    pub(crate) fn beside(target: &'a dyn Target) -> Self {
        Self { target, received: Mutex::default() }
    }
}

impl Target for Imagined<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        let mut lacking = self.target.lacking(names)?;
        let received = self.received.lock();
        lacking.retain(|name| !received.contains(name));
        Ok(lacking)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        Ok(self.received.lock().insert(block.name()))
    }
}
