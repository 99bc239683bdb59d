//! Logless replication: bringing what is below a root from one place that holds blocks to another.
//!
//! A source keeps nothing for its replicas: no log, no base snapshot, no list of them. A transfer finds out what the target lacks by
//! comparing two Merkle trees by the names of their blocks, and sends that.
//!
//! - [`descent`](self) is the protocol's core, without I/O: which names to ask about, which blocks to read, when to send them.
//! - [`Source`] and [`Target`] are the ports; a [`block::Store`] is a source, [`StoreTarget`] makes a target of one.
//! - [`transfer`] drives the descent between the two, [`transfer_to_all`] between one source and several targets.
//! - [`sync_both`] merges what two writable sides did, over two [`PeerVolume`]s.
//!
//! Invariants:
//!
//! - **Children before parents**, as everywhere: so a transfer that was cut off at any byte leaves a target that is whole in what
//!   it has, and the next one goes on from there, whatever the source is like by then.
//! - **Verified on arrival**: a block is kept only if it matches its name.
//! - **Bounded**: memory does not grow with the number of files (`limits`).
//!
//! What this crate deliberately does not know: FUSE, consensus, and what is in a file.

mod both;
mod compare;
mod descent;
mod error;
mod helped;
mod host;
mod interest;
mod limits;
mod local;
mod pace;
mod ports;
mod preview;
mod queue;
mod road;
mod sync;
mod transfer;
mod verify;
mod volumes;
mod wire;

pub use both::{
    Adoption, Both, BothOptions, Line, LineKind, LocalPeer, Looked, Merge, MergeResult, PeerVolume, sync_both,
};
pub use error::{Error, Result, Side};
pub use helped::Helped;
pub use host::{LocalReplica, LocalSource, LocalVerifiable, list};
pub use local::{Keeper, StoreTarget};
pub use ports::{Source, Target, Visitor};
pub use preview::preview;
pub use sync::{SyncOptions, Synced, sync, sync_all};
pub use transfer::{Base, Destination, Progress, Sent, TransferOptions, transfer, transfer_to_all};
pub use verify::{Verifiable, Verified, verify};
pub use volumes::{Listed, Origin, ReplicaMode, ReplicaVolume, SourceVolume};
pub use wire::{Client, RemotePeer, RemoteReplica, RemoteSource, fuzz_message, serve};
