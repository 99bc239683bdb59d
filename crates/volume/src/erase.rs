//! Erasing: taking a file out of the newest state of a volume and of all that it keeps, and its content out of the store.
//!
//! [decision 0017](../../../docs/decisions/0017-erase.md). What goes are inodes: those that ever had the path, with all of their names,
//! and for directories all that is below them. In this order:
//!
//! 1. The catalog takes note that a **purge** is due, durably. Whatever happens from here on, the next start makes up for it.
//! 2. The newest state loses the file by ordinary operations (`live`), and a checkpoint follows.
//! 3. Kept states are edited (`states`): of each tree that has the file another one is made without it (`footprint`), once however
//!    many kept roots share it, and put in its place under the same name, time and hold. Some at a time, each time with one durable root.
//! 4. The purge (`purge`): a collection after which nothing dead is left in the store. Then the note in the catalog goes.
//!
//! Invariants:
//!
//! - A kept root is at any moment its old self or its new one, and everything else in it is as it was: also times, of directories too.
//! - Equal states become equal states again, wherever that is done: replicas that erase the same file still have them in common.
//! - What is done again finds what is left to do.
//!
//! What this module deliberately does not know: whether a user was asked.

mod footprint;
mod live;
mod states;

use crate::catalog::VolumeId;
use crate::limits::{ERASE_BLOCKS_MAX, ERASE_PATHS_SHOWN};
use crate::{Error, Inode, KeptRoot, Pool, PoolError, Timestamp, Volume};
use block::Name;
use footprint::{Footprint, Names};
pub(crate) use states::EditedStates;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// What an erase changes, or has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Inodes that go: files, directories and whatever else.
    pub inodes: u64,
    /// Contents that files among them had in the states that are kept and in the newest: as many as there are times of change.
    pub versions: u64,
    /// Names of them in the newest state.
    pub names: u64,
    /// Some of their paths there.
    pub paths: Vec<Vec<u8>>,
    /// The snapshots that have any of them, but for those that are held.
    pub snapshots: Vec<String>,
    /// The held snapshots that have any of them.
    pub held: Vec<String>,
    /// How many roots of history have any of them.
    pub history: u64,
    /// How many states that two-way syncs begin with have any of them.
    pub meetings: u64,
    /// Blocks of their content, over all states.
    pub blocks: u64,
    /// What these take in the store, in bytes. Others may need some of them too.
    pub stored_bytes: u64,
    /// How many of them are open in the newest state: what is written there from now on stays until it is closed.
    pub open: u64,
}

/// An erase that is done but for the store.
#[derive(Debug)]
pub struct Erased {
    /// What it changed.
    pub erasure: Erasure,
    /// The blocks of the content.
    pub blocks: HashSet<Name>,
}

/// Why something was not erased.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EraseError {
    /// No state has the path.
    #[error("nothing has the path {path} in any state that is kept")]
    NeverThere {
        /// The path.
        path: String,
    },
    /// The path is the volume's own.
    #[error("this is the top of the volume; `pantala volume delete` deletes a whole volume with its past")]
    Top,
    /// Something about it is immutable or append-only.
    #[error("{path} is immutable or append-only, or is in a directory that is; `chattr -i -a` lifts that")]
    Protected {
        /// Its path.
        path: String,
    },
    /// Held snapshots have it.
    #[error("it is in held snapshots: {}; --held erases it there too, `pantala snapshot release NAME` lets one go", .names.join(", "))]
    Held {
        /// Their names.
        names: Vec<String>,
    },
    /// Somebody reads states that have it.
    #[error(
        "it is in states that somebody reads below .snapshots: {}; close what is open there and erase it again",
        .states.join(", ")
    )]
    InUse {
        /// Their names or times.
        states: Vec<String>,
    },
    /// A volume is locked, and has changes that are not in its tree.
    #[error(
        "the volume {name} is locked and has changes behind its last checkpoint; `pantala volume unlock {name}` first"
    )]
    LockedJournal {
        /// Its name.
        name: String,
    },
    /// The volume's key is not here.
    #[error("the volume is locked; `pantala volume unlock NAME` first")]
    Locked,
    /// A replica still has it in its newest state.
    #[error("this is a replica, and its newest state has it; erase it at the source, sync, and then erase it here")]
    Replica,
    /// Something was received that is not in force.
    #[error("a transfer to this replica was cut off or is under way; let `pantala mirror sync` end first")]
    Transfer,
    /// Damage: what a collection may remove cannot be told.
    #[error(
        "the store is damaged, so nothing can be removed from it for certain; `pantala scrub` and `pantala store repair` first"
    )]
    Damaged,
    /// Its content is in very many blocks.
    #[error("its content is in more than {ERASE_BLOCKS_MAX} blocks; erase its parts one after another")]
    TooMany,
    /// Somebody makes it anew all the time.
    #[error("names for it are made as fast as they are removed; end the program that makes them, and erase it again")]
    MadeAnew,
    /// Something else failed.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

impl From<Error> for EraseError {
    fn from(error: Error) -> Self {
        Self::Pool(error.into())
    }
}

impl From<tree::Error> for EraseError {
    fn from(error: tree::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<block::Error> for EraseError {
    fn from(error: block::Error) -> Self {
        Error::from(error).into()
    }
}

type Result<T> = std::result::Result<T, EraseError>;

impl Pool {
    /// What erasing the file at a path would change: in the newest state and in all that is kept. Changes nothing.
    pub fn plan_erase(&self, id: VolumeId, path: &[u8]) -> Result<Erasure> {
        let volume = self.erasable(id)?;
        let targets = volume.erase_targets(path)?;
        Ok(volume.survey_erase(&targets)?.erasure)
    }

    /// Erases the file at a path, also from held snapshots if `also_held`: otherwise these must not have it. Its content is in the store
    /// until the purge that is due then has ended: [`Pool::purge`], or [`Pool::purge_here`] in a pool without threads.
    pub fn erase(&self, id: VolumeId, path: &[u8], also_held: bool) -> Result<Erased> {
        let volume = self.erasable(id)?;
        let targets = volume.erase_targets(path)?;
        let Survey { erasure, blocks, roots } = volume.survey_erase(&targets)?;
        if !erasure.held.is_empty() && !also_held {
            return Err(EraseError::Held { names: erasure.held });
        }
        volume.check_erasable(&targets)?;
        volume.check_unused(&roots)?;
        self.note_purge()?;
        match volume.erase_inodes(&targets) {
            Ok(open) => Ok(Erased { erasure: Erasure { open, ..erasure }, blocks }),
            Err(error) => {
                // What has gone of it goes from the store in any case.
                if let Err(error) = self.purge(blocks) {
                    tracing::warn!(%error, "what was erased goes from the store after the next start");
                }
                Err(error)
            }
        }
    }

    /// The volume, if things can be erased from it.
    fn erasable(&self, id: VolumeId) -> Result<Arc<Volume>> {
        if self.is_damaged() {
            return Err(EraseError::Damaged);
        }
        self.store().check_writable()?;
        let open = self.open_volumes_with_names()?;
        if let Some((_, name)) = open.iter().find(|(volume, _)| volume.has_changes_while_locked()) {
            return Err(EraseError::LockedJournal { name: name.clone() });
        }
        let volume = open.into_iter().map(|(volume, _)| volume).find(|volume| volume.id() == id);
        let volume = volume.ok_or(Error::NotFound)?;
        if volume.contents.is_locked() {
            return Err(EraseError::Locked);
        }
        if self.has_transfer(id)? {
            return Err(EraseError::Transfer);
        }
        Ok(volume)
    }
}

impl Volume {
    /// The inodes that ever had a path.
    fn erase_targets(&self, path: &[u8]) -> Result<BTreeSet<Inode>> {
        self.checkpoint()?;
        let targets: BTreeSet<Inode> = self.versions(path)?.into_iter().map(|version| version.inode).collect();
        match targets {
            targets if targets.contains(&Inode::ROOT) => Err(EraseError::Top),
            targets if targets.is_empty() => {
                Err(EraseError::NeverThere { path: String::from_utf8_lossy(path).into_owned() })
            }
            targets => Ok(targets),
        }
    }

    /// Takes inodes out of everything. Gives how many of them are open.
    fn erase_inodes(&self, targets: &BTreeSet<Inode>) -> Result<u64> {
        self.erase_live(targets)?;
        self.erase_kept(targets)?;
        self.open_erased(targets)
    }

    /// What has the inodes.
    fn survey_erase(&self, targets: &BTreeSet<Inode>) -> Result<Survey> {
        let mut found = Found::default();
        let newest = Footprint::of(&self.layers.base.load().tree, targets, &mut found.names)?;
        found.add(&newest, self)?;
        found.erasure.names = newest.names().count() as u64;
        for inode in newest.top_inodes().take(ERASE_PATHS_SHOWN) {
            found.erasure.paths.extend(self.path(inode)?);
        }
        let states = self.states_of_past()?;
        for (tree, holders) in states.iter() {
            let footprint = Footprint::of(&tree, targets, &mut found.names)?;
            if footprint.is_empty() {
                continue;
            }
            found.add(&footprint, self)?;
            found.erasure.meetings += holders.meetings.len() as u64;
            found.roots.extend(holders.roots.iter().cloned());
        }
        Ok(found.into_survey())
    }
}

/// What has what is to be erased.
struct Survey {
    erasure: Erasure,
    /// The blocks of the content.
    blocks: HashSet<Name>,
    /// The kept roots whose states change.
    roots: Vec<KeptRoot>,
}

/// What a survey has come to.
#[derive(Default)]
struct Found {
    names: Names,
    inodes: BTreeSet<Inode>,
    versions: BTreeSet<(Inode, u64, Timestamp)>,
    blocks: HashSet<Name>,
    roots: Vec<KeptRoot>,
    erasure: Erasure,
}

impl Found {
    fn add(&mut self, footprint: &Footprint, volume: &Volume) -> Result<()> {
        for (inode, attributes) in footprint.inodes() {
            self.inodes.insert(inode);
            if !attributes.is_directory() {
                self.versions.insert((inode, attributes.size, attributes.modified));
            }
        }
        let store = &volume.shared.store;
        footprint.blocks(&mut |name| {
            if self.blocks.insert(name) {
                self.erasure.stored_bytes += store.bytes_of(&name)?.unwrap_or(0);
            }
            if self.blocks.len() > ERASE_BLOCKS_MAX { Err(EraseError::TooMany) } else { Ok(()) }
        })
    }

    fn into_survey(self) -> Survey {
        let Self { inodes, versions, blocks, mut roots, mut erasure, .. } = self;
        roots.sort_by_key(KeptRoot::taken);
        for root in &roots {
            match root.snapshot_name() {
                Some(name) if root.is_held() => erasure.held.push(name.to_owned()),
                Some(name) => erasure.snapshots.push(name.to_owned()),
                None => erasure.history += 1,
            }
        }
        let (inodes, versions) = (inodes.len() as u64, versions.len() as u64);
        Survey { erasure: Erasure { inodes, versions, blocks: blocks.len() as u64, ..erasure }, blocks, roots }
    }
}
