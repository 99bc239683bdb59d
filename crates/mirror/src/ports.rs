//! What a transfer asks of its two sides.

use crate::Result;
use block::{Name, PackedBlock};
use std::ops::ControlFlow;

/// What [`Source::read`] shows blocks to.
pub type Visitor<'a> = dyn FnMut(PackedBlock) -> Result<ControlFlow<()>> + 'a;

/// A place that blocks come from.
pub trait Source: Send + Sync {
    /// Shows blocks, in the order that is quickest for the place, until `visit` breaks off.
    fn read(&self, names: &[Name], visit: &mut Visitor<'_>) -> Result<()>;
}

/// A place that blocks go to.
///
/// Invariant, kept by the caller: **children before parents**. So "it has the block" means "it has everything below it".
pub trait Target: Send + Sync {
    /// Those of the names that the place does not have, in their order.
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>>;

    /// Keeps a block if it matches its name; true if the place did not have it.
    fn put(&self, block: &PackedBlock) -> Result<bool>;

    /// Takes note of blocks that are there and that nothing refers to yet, so that they stay. They take the place of those noted
    /// before, what is below them included.
    fn keep(&self, complete: &[Name]) -> Result<()>;
}
