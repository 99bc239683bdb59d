//! A file system: inodes, directories, extents and attributes over a Merkle tree, kept by a journal and checkpoints.
//!
//! A [`Pool`] is what one store holds: volumes by name. A [`Volume`] takes the operations of POSIX as plain function calls, each
//! of which happens at one moment, whole or not at all.
//!
//! Where a volume's state is, from the newest to the oldest:
//!
//! ```text
//!   operations -> overlay (memory) --commit--> journal group in the log     one fdatasync makes it durable
//!                    |
//!                  freeze --checkpoint--> tree nodes, then a root record    drops the journal before it
//! ```
//!
//! Invariants:
//!
//! - **Prefix consistency.** The gate lets operations in together and a commit in alone, so a commit takes the state between two
//!   operations, of the whole volume: what is recovered is the state after some prefix of the operations, and every operation
//!   before a completed [`Volume::sync`] is in it.
//! - **Records move down only**: overlay, frozen overlay, tree. Reading from the top never misses one (`layers`).
//! - **A record of the journal means the same whenever it is replayed**: it holds values, not differences.
//! - **Blocks before what refers to them**: data is put before the journal part or the node that links to it.
//! - Locks are taken in this order: catalog, volumes, checkpointing, journal, gate, moving, inode locks (in the order of their
//!   stripes), the turn of the quota, then, one at a time, what is held for moments: overlay shards, a dirty block, the last checkpoint. Operations
//!   begin at the gate, which they share; commits and checkpoints begin before it and take it alone.
//!
//! What this crate deliberately does not know: the kernel, the network, where blocks lie. Permissions are checked by whoever
//! calls (the kernel, for a mount).

mod access_list;
mod access_times;
mod attributes;
mod catalog;
mod change;
mod checkpoint;
mod codec;
mod collector;
mod commit;
mod content;
mod contents;
mod data_cache;
mod difference;
mod directory;
mod dirty_block;
mod dirty_inode;
mod edits;
mod encryption;
mod environment;
mod erase;
mod error;
mod extent;
mod flush;
mod inode;
mod inode_flags;
mod inode_locks;
mod journal;
mod kept;
mod key;
mod layers;
mod ledger;
pub mod limits;
mod links;
mod live;
mod maintenance;
mod meeting;
mod merge;
mod moment;
mod mount_options;
mod names;
mod overlay;
mod paths;
mod pool;
mod purge;
mod quota;
mod read_streams;
mod record;
mod recovery;
mod rename;
mod repair;
mod replica;
mod room;
mod root;
mod scrub;
mod sealed;
mod settings;
mod shared;
mod space;
mod view;
mod volume;
mod wake;
mod watcher;
mod xattrs;

pub use access_list::{AccessListKind, SetGroupId};
pub use access_times::AccessTimes;
pub use attributes::{AttributeChanges, Privileges, TimeChange};
pub use catalog::{Role, VolumeId, VolumeIdentity, VolumeInfo};
pub use collector::{FinishedCollection, GarbageStatus};
pub use content::{FilePoint, ReserveSize, Seek};
pub use difference::{Difference, Happened, differences};
pub use directory::DirectoryEntry;
pub use environment::{Environment, SystemEnvironment};
pub use erase::{EraseError, Erased, Erasure};
pub use error::{Error, Result};
pub use inode::{Attributes, Inode, Kind, Timestamp};
pub use inode_flags::InodeFlags;
pub use kept::{
    Age, Archive, BadRetention, Deleted, KeptId, KeptRoot, Meeting, Peer, Retention, Schedule, Snapshot, SnapshotError,
    Snapshots, Version, Witness, Witnesses,
};
pub use ledger::{SnapshotUse, SpaceUse, VolumeUse};
pub use meeting::{Adopting, MergeOutcome, MergeRequest, Past, common_state};
pub use merge::{Conflict, ConflictKind};
pub use moment::{BadMoment, parse_moment};
pub use mount_options::VolumeMountOptions;
pub use names::{Creator, NewInode, NewPermissions};
pub use pool::{Pool, PoolError, PoolOptions};
pub use purge::Purged;
pub use rename::RenameMode;
pub use repair::{Fallback, RepairedVolume};
pub use replica::{Pinned, REPLICA_RETENTION, Receiving, State};
pub use scrub::{Finding, Scrub, ScrubPoint, ScrubProgress, ScrubStage, User};
pub use settings::{SETTINGS, Setting, SettingError, Settings};
pub use space::{VolumeSpace, VolumeStatus};
pub use view::View;
pub use volume::Volume;
pub use watcher::Watcher;
pub use xattrs::XattrMode;

/// Feeds arbitrary bytes to the decoders of journal parts and roots, for fuzzing: they may refuse them, and must not panic. The
/// first byte is the number of links.
#[doc(hidden)]
pub fn fuzz_journal(bytes: &[u8]) {
    let Some((links, body)) = bytes.split_first() else { return };
    let links: Vec<_> = (0..*links).map(|number| block::Name::from_bytes([number; block::Name::BYTES])).collect();
    let _ = journal::decode(&links, body);
    let record =
        block::Record { kind: block::RecordKind::Root, stream: 1, links, body: bytes::Bytes::copy_from_slice(body) };
    let _ = root::Root::parse(&record);
}
