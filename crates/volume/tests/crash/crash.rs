//! One loss of power: what must hold afterwards.

use crate::kept::KeptModel;
use crate::place::{OWNER, open_pool_with};
use crate::workload::dump;
use block::MemoryIndex;
use sim::{Random, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Inode, NewInode, Pool, Privileges, Timestamp, Volume, VolumeId};

/// What a user sees of a volume.
pub(crate) type State = Arc<Vec<String>>;

/// What is known of a volume when the power goes.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) volume: VolumeId,
    /// What a user saw after each operation so far; of one that is under way, what its end would show.
    pub(crate) states: Vec<State>,
    /// The last state that a completed sync has promised to keep.
    pub(crate) durable: usize,
    /// The snapshots that are there; while an operation on them is under way, those before and those after it.
    pub(crate) kept: Vec<KeptModel>,
}

/// How much was tried.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// Moments at which the power went.
    pub(crate) points: AtomicU64,
    /// Of which it went once more during the recovery.
    pub(crate) in_recovery: AtomicU64,
    /// Segments that garbage collections retired.
    pub(crate) retired: AtomicU64,
    /// Rollbacks.
    pub(crate) rolled_back: AtomicU64,
    /// Clones.
    pub(crate) cloned: AtomicU64,
    /// States that replicas took over.
    pub(crate) received: AtomicU64,
    /// Replicas that became writable, or replicas again.
    pub(crate) roles: AtomicU64,
}

/// What is left of a disk at a loss of power.
#[derive(Clone, Copy)]
pub(crate) enum Remains {
    /// Only what was synced.
    Durable,
    /// All that was written.
    All,
    /// What was synced, and a part of the rest that the seed chooses.
    Some(u64),
}

impl Remains {
    fn of(self, disk: &SimDisk) -> SimDisk {
        match self {
            Self::Durable => disk.crash_to_durable(),
            Self::All => disk.restart(),
            Self::Some(seed) => disk.crash(seed),
        }
    }
}

/// The power goes now; then it goes again during the recovery; each time what comes back is checked. `known` is empty as long as
/// no sync has promised that there is a pool.
pub(crate) fn crash(
    disk: &SimDisk,
    remains: Remains,
    index: &MemoryIndex,
    known: &[Known],
    tally: &Tally,
) -> Result<(), String> {
    let salt = tally.points.fetch_add(1, Ordering::Relaxed);
    let crashed = remains.of(disk);
    let mut random = Random::new(salt);
    let interrupted = crashed.image();
    interrupted.keep_images();
    let pool = open_pool_with(&interrupted, index.snapshot(), false, &Arc::default());
    let during_recovery = interrupted.take_images();
    check(pool, known, random.percent(10))?;
    if !during_recovery.is_empty() && matches!(remains, Remains::Some(_)) {
        let image = &during_recovery[random.below(during_recovery.len() as u64) as usize];
        tally.in_recovery.fetch_add(1, Ordering::Relaxed);
        let pool = open_pool_with(&image.crash(random.number()), index.snapshot(), false, &Arc::default());
        check(pool, known, false).map_err(|why| format!("after a second crash during the recovery: {why}"))?;
    }
    Ok(())
}

/// Checks the prefix of each volume. `goes_on` also checks that the pool takes changes again.
fn check(pool: Result<Pool, volume::PoolError>, known: &[Known], goes_on: bool) -> Result<(), String> {
    let pool = match pool {
        Ok(pool) => pool,
        Err(_) if known.is_empty() => return Ok(()),
        Err(error) => return Err(format!("a pool with synced content does not open: {error}")),
    };
    for Known { volume, states, durable, kept } in known {
        let open = pool.volume(*volume).ok_or(format!("volume {volume} is lost"))?;
        let snapshots = KeptModel::found(&open);
        if !kept.iter().any(|kept| kept.snapshots == snapshots) {
            let expected: Vec<_> = kept.iter().map(|kept| &kept.snapshots).collect();
            return Err(format!("volume {volume}: its snapshots are {snapshots:#?}, expected {expected:#?}"));
        }
        if goes_on {
            check_history(&open, states).map_err(|why| format!("volume {volume}: {why}"))?;
        }
        let found = dump(&open, Inode::ROOT).map_err(|error| format!("volume {volume} cannot be read: {error}"))?;
        match states.iter().rposition(|state| **state == found) {
            Some(kept) if kept >= *durable => {}
            Some(kept) => return Err(format!("volume {volume}: {durable} operations were synced, {kept} are there")),
            None => return Err(format!("volume {volume}: no prefix of the operations gives {found:#?}")),
        }
    }
    if goes_on { go_on(&pool).map_err(|error| format!("the recovered pool takes no changes: {error}")) } else { Ok(()) }
}

/// Every state that is kept is one that a user saw.
fn check_history(volume: &Volume, states: &[State]) -> Result<(), String> {
    let time = |seconds| Timestamp { seconds, nanoseconds: 0 };
    let roots = volume.kept_roots(time(i64::MIN), time(i64::MAX)).map_err(|error| error.to_string())?;
    for root in roots {
        let root = root.map_err(|error| error.to_string())?;
        let view = volume.open_kept(&root).map_err(|error| error.to_string())?;
        let found = dump(&view, Inode::ROOT).map_err(|error| error.to_string())?;
        if !states.iter().any(|state| **state == found) {
            return Err(format!("no state that there was gives the one kept at {}: {found:#?}", root.id()));
        }
    }
    Ok(())
}

fn go_on(pool: &Pool) -> Result<(), volume::PoolError> {
    let Some(volume) = pool.volume(VolumeId::FIRST) else { return Ok(()) };
    let (file, _) = volume.make(Inode::ROOT, b"after", NewInode::File, 0o600, OWNER)?;
    volume.write(file, 0, &[1; 5000], Privileges::Keep)?;
    pool.sync()?;
    pool.checkpoint()
}
