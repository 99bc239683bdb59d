//! What a replica keeps where no store is: in an object store, whose manifest lists the kept roots.

use super::{Kept, Retention};
use crate::limits::{ARCHIVE_CACHE_BYTES, KEPT_ROOTS_MAX};
use crate::replica::State;
use crate::{Error, KeptRoot, Result, Timestamp};
use block::{MemoryBlocks, Position};
use std::sync::Arc;
use tree::Nodes;

/// Kept roots as a value, outside of any store. It follows the same rules as a volume's.
#[derive(Clone, Debug)]
pub struct Archive(Kept);

impl Archive {
    /// Of these kept roots.
    pub fn new(roots: &[KeptRoot]) -> Result<Self> {
        if roots.len() > KEPT_ROOTS_MAX {
            return Err(Error::NotSupported("so many kept roots"));
        }
        let nodes = Nodes::new(Arc::new(MemoryBlocks::default()), ARCHIVE_CACHE_BYTES);
        Ok(Self(Kept::new(nodes, None).with_received(roots)?))
    }

    /// Which of the kept roots of a source are not here and are wanted, as with [`crate::Volume::wanted`].
    pub fn wanted(&self, offered: &[KeptRoot], retention: &Retention, now: Timestamp) -> Result<Vec<KeptRoot>> {
        self.0.wanted(offered, retention, now)
    }

    /// With a state that was received, with kept roots that came with it, and without what the retention does not keep.
    pub fn with_received(
        &self,
        state: &State,
        offered: &[KeptRoot],
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Self> {
        let kept = self.0.with_received(offered)?;
        let root = state.root(0, Position::from_u64(0));
        let kept = if kept.has_history(&root)? { kept } else { kept.with_history(&root, &[])? };
        let effect = kept.retention_effect(retention, now)?;
        let going: Vec<_> = effect.iter().filter(|(_, stays)| !stays).map(|(root, _)| root.id).collect();
        Ok(Self(kept.without_old_history(&going)?))
    }

    /// Of a replica that is to receive a state which does not come from the one that it has.
    pub fn reborn(&self) -> Result<Self> {
        self.0.reborn().map(Self)
    }

    /// All of them, the oldest first.
    pub fn roots(&self) -> Result<Vec<KeptRoot>> {
        self.0.roots(Timestamp::FIRST, Timestamp::LAST)?.collect()
    }
}
