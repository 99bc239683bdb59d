//! Giving back the space of what nothing needs: marks what can be reached, copies what is alive out of packs that are mostly dead, and
//! makes an index of that alone.
//!
//! Nothing is taken away here: who was told what is gone puts the manifest in force first, and leaves it to readers for a while.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::index::{Index, write_run};
use crate::limits::PACK_BYTES;
use crate::manifest::{Manifest, Run};
use crate::pack::Draft;
use crate::place::{ObjectId, Place};
use crate::walk::{Table, walk};
use block::Name;
use std::collections::{HashMap, HashSet};

/// What is left, and what is not.
pub(crate) struct Pruned {
    pub(crate) runs: Vec<Run>,
    pub(crate) live_bytes: u64,
    /// Objects that nothing needs; true for parts of an index.
    pub(crate) gone: Vec<(ObjectId, bool)>,
}

pub(crate) fn prune(home: &Home, manifest: &Manifest, index: &Index) -> Result<Pruned> {
    let mut table = Table::read(index)?;
    let mut missing = None;
    walk(home, &mut table, manifest.roots(), &mut |name, error| {
        missing.get_or_insert(error.unwrap_or_else(|| lost(&name)));
    })?;
    if let Some(error) = missing {
        // What is damaged may hide what is alive.
        return Err(error);
    }
    table.keep_alive();
    let sizes: HashMap<ObjectId, u64> = home.list(&home.packs())?.into_iter().collect();
    let mut live: HashMap<ObjectId, u64> = HashMap::new();
    for (_, place) in table.entries() {
        *live.entry(place.pack).or_default() += u64::from(place.length);
    }
    let is_sparse = |pack: &ObjectId| sizes.get(pack).is_some_and(|bytes| live[pack] * 2 < *bytes);
    let sparse: HashSet<ObjectId> = live.keys().copied().filter(is_sparse).collect();
    repack(home, manifest.sequence, &mut table, &sparse)?;
    let run = write_run(home, manifest.sequence, table.entries().map(|entry| Ok(*entry)))?;
    let needed: HashSet<ObjectId> = table.entries().map(|(_, place)| place.pack).collect();
    let packs = sizes.into_keys().filter(|pack| !needed.contains(pack)).map(|pack| (pack, false));
    let of_run: HashSet<ObjectId> = run.objects.iter().map(|object| object.id).collect();
    let indexes =
        home.list(&home.indexes())?.into_iter().filter(|(id, _)| !of_run.contains(id)).map(|(id, _)| (id, true));
    Ok(Pruned {
        live_bytes: table.entries().map(|(_, place)| u64::from(place.length)).sum(),
        gone: packs.chain(indexes).collect(),
        runs: if run.objects.is_empty() { Vec::new() } else { vec![run] },
    })
}

/// Copies what is in some packs to new ones.
fn repack(home: &Home, base: u64, table: &mut Table, sparse: &HashSet<ObjectId>) -> Result<()> {
    let moving: Vec<(Name, Place)> =
        table.entries().filter(|(_, place)| sparse.contains(&place.pack)).copied().collect();
    let mut draft = Draft::default();
    crate::reader::read::<Error>(home, moving, &mut |_, block| {
        draft.push(block?);
        if draft.bytes() >= PACK_BYTES {
            put(home, base, std::mem::take(&mut draft), table)?;
        }
        Ok(true)
    })?;
    if draft.is_empty() { Ok(()) } else { put(home, base, draft, table) }
}

fn put(home: &Home, base: u64, draft: Draft, table: &mut Table) -> Result<()> {
    let pack = ObjectId::new(base);
    let (bytes, places) = draft.build(pack);
    home.bucket.put(&home.pack(pack), bytes)?;
    places.into_iter().for_each(|(name, place)| table.moved(&name, place));
    Ok(())
}

/// A block that is needed and of which the index knows nothing.
pub(crate) fn lost(name: &Name) -> Error {
    let error = block::Error::Missing { name: *name };
    mirror::Error::Store { side: mirror::Side::Target, error }.into()
}
