//! A replica in an object store, as the source of a sync: whoever restores pulls from it.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::index::Index;
use crate::prune::lost;
use crate::reader;
use block::Name;
use mirror::{Origin, Source, SourceVolume, Visitor};

/// A replica in an object store that is copied from.
pub struct ObjectSource {
    home: Home,
    origin: Origin,
    index: Index,
}

impl ObjectSource {
    /// `None` if there is no replica.
    pub(crate) fn open(home: &Home) -> Result<Option<Self>> {
        let Some(manifest) = home.newest()? else { return Ok(None) };
        let index = Index::new(home.clone(), manifest.sequence, manifest.runs);
        let (identity, name, state, kept) = (manifest.identity, manifest.name, manifest.state, manifest.kept);
        let origin = Origin { identity, name, state, witnesses: manifest.witnesses, kept };
        Ok(Some(Self { home: home.clone(), origin, index }))
    }
}

impl Source for ObjectSource {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> mirror::Result<()> {
        let places = self.index.find(names)?;
        let blocks = names.iter().map(|name| Ok((*name, *places.get(name).ok_or_else(|| lost(name))?)));
        let mut linked_bytes = 0;
        reader::read(&self.home, blocks.collect::<Result<Vec<_>>>()?, &mut |_, block| {
            let block = block?;
            linked_bytes += if block.links().is_empty() { 0 } else { block.stored_bytes() };
            visit(block).map_err(Error::from)?;
            Ok::<_, Error>(linked_bytes < linked_bytes_max)
        })?;
        Ok(())
    }
}

impl SourceVolume for ObjectSource {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}
