//! Replicas in object stores: S3 and what speaks its language, or a directory.
//!
//! ```text
//!   volumes/IDENTITY/manifests/NUMBER       what a state of the replica is; the newest one counts
//!   volumes/IDENTITY/indexes/BASE/RANDOM    which blocks there are and in which packs, sorted
//!   volumes/IDENTITY/packs/BASE/RANDOM      blocks, some MiB of them
//! ```
//!
//! An object store has no process that answers, and only whole objects. So the command that syncs does all the work: [`ObjectPlace`]
//! gives it sides of a sync that are like any other ([`mirror::ReplicaVolume`], [`mirror::SourceVolume`]).
//!
//! Invariants:
//!
//! - **Nothing is changed in place**: packs, parts of indexes and manifests are put once. A manifest is put only where none is, which
//!   is the one step that puts a state in force.
//! - **Children before parents**: packs are put one after another, so what is there is whole in itself.
//! - **Nothing is listed but what is new**: the number of manifests and of packs behind the newest one is bounded by one sync. Only a
//!   prune lists everything.
//!
//! What this crate deliberately does not know: what is in a block, and FUSE.

mod bucket;
mod error;
mod home;
mod index;
mod limits;
mod manifest;
mod pack;
mod place;
mod prune;
mod reader;
mod replica;
mod source;
mod verify;
mod walk;
mod work;

pub use bucket::{Bucket, FILE, S3};
pub use error::{Error, Result};
pub use replica::ObjectReplica;
pub use source::ObjectSource;
pub use verify::ObjectVerifiable;

use home::{Home, identities};
use mirror::{Listed, Origin, ReplicaMode};
use volume::Retention;

/// An object store with replicas in it.
pub struct ObjectPlace {
    bucket: Bucket,
}

impl ObjectPlace {
    /// The place of some objects.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// The replicas that are there.
    pub fn list(&self) -> mirror::Result<Vec<Listed>> {
        let mut replicas = Vec::new();
        for identity in identities(&self.bucket)? {
            let home = Home::new(&self.bucket, identity);
            let Some(manifest) = home.newest()? else { continue };
            let is_partial = !home.packs_on(manifest.sequence)?.is_empty();
            let (name, state) = (manifest.name, manifest.state);
            replicas.push(Listed { identity, name, is_replica: true, is_partial, has_changes: false, state });
        }
        Ok(replicas)
    }

    /// A replica to copy from, by the name of the volume or by its identity.
    pub fn source(&self, which: &str) -> mirror::Result<ObjectSource> {
        let found =
            self.list()?.into_iter().find(|listed| listed.identity.to_string() == which || listed.name == which);
        let no_replica = || mirror::Error::NoReplica { volume: which.to_owned() };
        let identity = found.ok_or_else(no_replica)?.identity;
        ObjectSource::open(&Home::new(&self.bucket, identity))?.ok_or_else(no_replica)
    }

    /// The replica of a volume, to copy to.
    pub fn replica(&self, origin: &Origin, mode: ReplicaMode) -> mirror::Result<ObjectReplica> {
        Ok(ObjectReplica::open(&Home::new(&self.bucket, origin.identity), origin, mode)?)
    }

    /// Gives back the space of what the replica of a volume does not need any more.
    pub fn prune(&self, which: &str) -> mirror::Result<()> {
        let source = self.source(which)?;
        let home = Home::new(&self.bucket, mirror::SourceVolume::origin(&source).identity);
        let Some(manifest) = home.newest()? else { return Ok(()) };
        let mut work = work::Work::begin(&home, manifest)?;
        work.commit(|_| {})?;
        Ok(work.prune()?)
    }

    /// Sets what the replica of a volume keeps of the past, from the next sync on.
    pub fn set_retention(&self, which: &str, retention: &str) -> mirror::Result<()> {
        let retention =
            retention.parse::<Retention>().map_err(|error| mirror::Error::Objects { why: error.to_string() })?;
        let source = self.source(which)?;
        let home = Home::new(&self.bucket, mirror::SourceVolume::origin(&source).identity);
        let Some(manifest) = home.newest()? else { return Ok(()) };
        Ok(work::Work::begin(&home, manifest)?.commit(|manifest| manifest.retention = retention.to_string())?)
    }

    /// Everything that is there, to be verified.
    pub fn verifiable(&self) -> ObjectVerifiable {
        ObjectVerifiable::new(&self.bucket)
    }
}
