//! Reading every pack again, and healing.

use crate::bucket::Bucket;
use crate::error::{Error, Result};
use crate::home::{Home, identities};
use crate::index::Index;
use crate::reader;
use crate::walk::{Table, walk};
use crate::work::Work;
use block::{Name, PackedBlock};
use mirror::Verifiable;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};

/// The replicas of a place, to be verified.
pub struct ObjectVerifiable {
    bucket: Bucket,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    is_read: bool,
    /// Blocks that cannot be had though there is a place for them, and who needs them.
    bad: HashMap<Name, Vec<Home>>,
}

impl ObjectVerifiable {
    pub(crate) fn new(bucket: &Bucket) -> Self {
        Self { bucket: bucket.clone(), seen: Mutex::default() }
    }

    fn homes(&self) -> Result<Vec<Home>> {
        Ok(identities(&self.bucket)?.into_iter().map(|identity| Home::new(&self.bucket, identity)).collect())
    }

    /// What is needed and cannot be had. The first time every block is read, afterwards only what leads to others.
    fn look(&self) -> Result<Vec<Name>> {
        let mut seen = self.seen.lock();
        let mut lacking = BTreeSet::new();
        for home in self.homes()? {
            let Some(manifest) = home.newest()? else { continue };
            let index = Index::new(home.clone(), manifest.sequence, manifest.runs.clone());
            let mut table = Table::read(&index)?;
            let mut found: Vec<Name> = Vec::new();
            walk(&home, &mut table, manifest.roots(), &mut |name, _| found.push(name))?;
            if !seen.is_read {
                table.keep_alive();
                reader::read::<Error>(&home, table.entries().copied().collect(), &mut |name, block| {
                    match block {
                        Ok(block) if block.unpack().is_ok() => {}
                        Ok(_) | Err(Error::Corrupt { .. } | Error::Missing { .. }) => found.push(name),
                        Err(error) => return Err(error),
                    }
                    Ok(true)
                })?;
            }
            for name in found {
                let needing = seen.bad.entry(name).or_default();
                // Twice from one replica heals it twice, which harms nothing.
                needing.push(home.clone());
                lacking.insert(name);
            }
        }
        lacking.extend(seen.bad.keys());
        seen.is_read = true;
        Ok(lacking.into_iter().collect())
    }

    fn find(&self, name: &Name) -> Result<Option<PackedBlock>> {
        for home in self.homes()? {
            let Some(manifest) = home.newest()? else { continue };
            let index = Index::new(home.clone(), manifest.sequence, manifest.runs);
            let places = index.find(&[*name])?;
            let mut found = None;
            reader::read::<Error>(&home, places.into_iter().collect(), &mut |_, block| {
                found = block.ok().filter(|block| block.unpack().is_ok());
                Ok(true)
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn write_anew(&self, block: &PackedBlock) -> Result<()> {
        let homes = self.seen.lock().bad.remove(&block.name()).unwrap_or_default();
        for home in homes {
            let Some(manifest) = home.newest()? else { continue };
            let mut work = Work::begin(&home, manifest)?;
            work.put(block)?;
            work.commit(|_| {})?;
        }
        Ok(())
    }
}

impl Verifiable for ObjectVerifiable {
    fn verify(&self) -> mirror::Result<Vec<Name>> {
        Ok(self.look()?)
    }

    fn fetch(&self, name: &Name) -> mirror::Result<Option<PackedBlock>> {
        Ok(self.find(name)?)
    }

    fn heal(&self, block: &PackedBlock) -> mirror::Result<()> {
        Ok(self.write_anew(block)?)
    }
}
