//! Immutable blocks on one disk.
//!
//! A [`Block`] is up to 1 MiB of bytes plus the names of the blocks it refers to (its links). Its [`Name`] is the BLAKE3 hash
//! of both, so equal content has equal names everywhere and whoever holds a name can check what it gets for it.
//!
//! [`Blocks`] is the port: `tree`, `volume` and `mirror` know nothing else of where blocks lie. [`Store`] is the service behind
//! it on a real disk: one append-only log of segments, an index derived from it, and the records (journal intents and roots)
//! that the layers above need to find their state again.
//!
//! What this crate deliberately does not know: trees, files, volumes. It knows links, because a link is what keeps a block
//! alive, what a copy must bring along, and what a replica without the key can still follow.

mod block;
mod blocks;
mod checksum;
mod copies;
mod damages;
mod directory;
mod disk;
mod error;
mod frame;
mod fuzz;
mod garbage;
mod index;
mod layout;
mod limits;
mod log;
mod name;
mod options;
mod packed;
mod packing;
mod pieces;
mod position;
mod read_ahead;
mod read_only_disk;
mod real_disk;
mod recent;
mod record;
mod recovery;
mod reserve;
mod roots;
mod sabotage;
mod scan;
mod segment_file;
mod segment_header;
mod segments;
mod statistics;
mod store;
mod store_id;
mod superblock;

pub use block::{BODY_BYTES_MAX, Block, LINKS_MAX};
pub use blocks::{Blocks, MemoryBlocks, Part, Patience};
pub use damages::DamagedBlock;
pub use directory::OpenMode;
pub use disk::{Disk, DiskFile, Space};
pub use error::{Error, Result};
pub use fuzz::fuzz_frame;
pub use garbage::{Alive, Collection, CollectionProgress, CollectionStage, Hold, Live, Thrift};
pub use index::{FjallIndex, Index, IndexState, IndexUpdate, Location, MemoryIndex, Totals};
pub use name::Name;
pub use options::{Compression, StoreOptions};
pub use packed::PackedBlock;
pub use packing::{Packed, pack, unpack};
pub use position::Position;
pub use real_disk::RealDisk;
pub use record::{Record, RecordKind, StoredRecord};
pub use sabotage::Sabotage;
pub use statistics::{Health, Statistics, Usage};
pub use store::{Damage, DamagedSubject, Note, PackedVisitor, Reach, Store, Verified};
pub use store_id::StoreId;
