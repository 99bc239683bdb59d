//! Bringing a replica to the state of its source.

use crate::limits::TARGETS_MAX;
use crate::transfer::{Base, Destination, Progress, Sent, TransferOptions, transfer_to_all};
use crate::volumes::{ReplicaVolume, SourceVolume};
use crate::{Error, Result, Side, Target};
use block::{Blocks, Name, PackedBlock};
use parking_lot::Mutex;
use std::collections::HashSet;
use volume::{KeptRoot, State};

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
    let mut synced = sync_all(source, &[replica], options);
    synced.pop().unwrap_or_else(|| unreachable!("one replica, one outcome"))
}

/// The same with several replicas at once: what more than one of them lacks is read once. Gives how it went, in their order.
pub fn sync_all(
    source: &dyn SourceVolume,
    replicas: &[&dyn ReplicaVolume],
    options: &SyncOptions<'_>,
) -> Vec<Result<Synced>> {
    replicas.chunks(TARGETS_MAX).flat_map(|replicas| sync_chunk(source, replicas, options)).collect()
}

fn sync_chunk(
    source: &dyn SourceVolume,
    replicas: &[&dyn ReplicaVolume],
    options: &SyncOptions<'_>,
) -> Vec<Result<Synced>> {
    let plans: Vec<_> = replicas.iter().map(|replica| Plan::new(source, *replica)).collect();
    let ready: Vec<&Plan<'_>> = plans.iter().flatten().filter(|plan| !plan.is_unchanged).collect();
    let base = match ready[..] {
        [alone] => base(source, alone.replica),
        _ => Ok(None),
    };
    let mut sent = match base {
        Ok(base) => transfer_plans(source, &ready, base, options).into_iter(),
        Err(error) => vec![Err(error)].into_iter(),
    };
    let finish = |plan: Result<Plan<'_>>| {
        let plan = plan?;
        let state = source.origin().state;
        if plan.is_unchanged {
            return Ok(Synced { sent: Sent::default(), kept: 0, state: plan.replica.held(), is_unchanged: true });
        }
        let sent = sent.next().unwrap_or_else(|| unreachable!("each that is ready has an outcome"))?;
        if !options.is_dry_run {
            plan.replica.receive(&state, &source.origin().witnesses, &plan.wanted)?;
        }
        Ok(Synced { sent, kept: plan.wanted.len(), state, is_unchanged: false })
    };
    plans.into_iter().map(finish).collect()
}

/// What a replica is to get.
struct Plan<'a> {
    replica: &'a dyn ReplicaVolume,
    wanted: Vec<KeptRoot>,
    roots: Vec<Name>,
    is_unchanged: bool,
}

impl<'a> Plan<'a> {
    fn new(source: &dyn SourceVolume, replica: &'a dyn ReplicaVolume) -> Result<Self> {
        let origin = source.origin();
        let wanted = replica.wanted(&origin.kept)?;
        let is_unchanged = wanted.is_empty() && replica.held().is_same(&origin.state);
        let roots = wanted.iter().filter_map(KeptRoot::tree).chain(origin.state.roots()).collect();
        Ok(Self { replica, wanted, roots, is_unchanged })
    }
}

fn transfer_plans(
    source: &dyn SourceVolume,
    plans: &[&Plan<'_>],
    base: Option<Base<'_>>,
    options: &SyncOptions<'_>,
) -> Vec<Result<Sent>> {
    let SyncOptions { bytes_per_second_max, progress, is_dry_run } = *options;
    let imagined: Vec<Imagined<'_>> = plans.iter().map(|plan| Imagined::beside(plan.replica)).collect();
    let options = TransferOptions { bytes_per_second_max, progress, base };
    let destinations: Vec<Destination<'_>> = plans
        .iter()
        .zip(&imagined)
        .map(|(plan, imagined)| Destination {
            target: if is_dry_run { imagined } else { plan.replica },
            roots: plan.roots.clone(),
        })
        .collect();
    transfer_to_all(source, &destinations, &options)
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
