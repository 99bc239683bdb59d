//! Where the objects of one replica are.

use crate::bucket::Bucket;
use crate::error::{Error, Result};
use crate::manifest::{Malformed, Manifest};
use crate::place::ObjectId;
use volume::VolumeIdentity;

const VOLUMES: &str = "volumes";
/// Earlier manifests that are left, for who reads them at the moment.
const MANIFESTS_LEFT: usize = 2;

/// The objects of one replica.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) bucket: Bucket,
    directory: String,
}

/// The replicas that a place has objects of.
pub(crate) fn identities(bucket: &Bucket) -> Result<Vec<VolumeIdentity>> {
    let parse = |text: &String| {
        let digits = |index: usize| u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..16).map(digits).collect();
        (text.len() == 32).then_some(bytes?).and_then(|bytes| Some(VolumeIdentity(bytes.try_into().ok()?)))
    };
    Ok(bucket.list_directories(VOLUMES)?.iter().filter_map(parse).collect())
}

impl Home {
    pub(crate) fn new(bucket: &Bucket, identity: VolumeIdentity) -> Self {
        Self { bucket: bucket.clone(), directory: format!("{VOLUMES}/{identity}") }
    }

    pub(crate) fn packs(&self) -> String {
        format!("{}/packs", self.directory)
    }

    pub(crate) fn pack(&self, id: ObjectId) -> String {
        format!("{}/packs/{id}", self.directory)
    }

    pub(crate) fn indexes(&self) -> String {
        format!("{}/indexes", self.directory)
    }

    pub(crate) fn index(&self, id: ObjectId) -> String {
        format!("{}/indexes/{id}", self.directory)
    }

    fn manifest(&self, sequence: u64) -> String {
        format!("{}/manifests/{sequence:020}", self.directory)
    }

    /// The objects below a key that have the name of a pack or of a part of an index.
    pub(crate) fn list(&self, below: &str) -> Result<Vec<(ObjectId, u64)>> {
        let listed = self.bucket.list(below)?;
        let id = |key: &str| ObjectId::parse(&key[key.rfind('/')?.checked_sub(16)?..]);
        Ok(listed.into_iter().filter_map(|(key, bytes)| Some((id(&key)?, bytes))).collect())
    }

    /// The packs that were put by syncs that build on a manifest.
    pub(crate) fn packs_on(&self, sequence: u64) -> Result<Vec<(ObjectId, u64)>> {
        self.list(&format!("{}/{sequence:016x}", self.packs()))
    }

    /// The newest manifest; `None` if there is no replica.
    pub(crate) fn newest(&self) -> Result<Option<Manifest>> {
        loop {
            let Some(sequence) = self.sequences()?.pop() else { return Ok(None) };
            let key = self.manifest(sequence);
            // One that has gone meanwhile has a newer one behind it.
            let Some(bytes) = self.bucket.get(&key)? else { continue };
            let manifest = Manifest::decode(&bytes).map_err(|malformed| match malformed {
                Malformed::Damaged => self.bucket.corrupt(&key, "the manifest is damaged"),
                Malformed::Newer(version) => self.bucket.corrupt(
                    &key,
                    &format!("it is of version {version}, which a newer pantala has written; use that one"),
                ),
            })?;
            return Ok(Some(manifest));
        }
    }

    /// Puts the manifest that follows the newest one. False if another one has come first.
    pub(crate) fn commit(&self, manifest: &Manifest) -> Result<bool> {
        if !self.bucket.create(&self.manifest(manifest.sequence), &manifest.encode())? {
            return Ok(false);
        }
        let mut sequences = self.sequences()?;
        // Whoever slept for long may find a number free again that others have gone beyond.
        if sequences.last().is_some_and(|newest| *newest != manifest.sequence) {
            return Ok(false);
        }
        sequences.truncate(sequences.len().saturating_sub(MANIFESTS_LEFT));
        let earlier: Vec<_> = sequences.iter().map(|sequence| self.manifest(*sequence)).collect();
        self.bucket.delete(&earlier)?;
        Ok(true)
    }

    fn sequences(&self) -> Result<Vec<u64>> {
        let listed = self.bucket.list(&format!("{}/manifests", self.directory))?;
        let sequence = |(key, _): (String, u64)| key.rsplit('/').next()?.parse().ok();
        let mut sequences: Vec<u64> = listed.into_iter().filter_map(sequence).collect();
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// What another sync has been quicker than.
    pub(crate) fn overtaken(&self, manifest: &Manifest) -> Error {
        mirror::Error::Busy { volume: manifest.name.clone() }.into()
    }
}
