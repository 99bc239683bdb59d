//! What a transfer asks of its two sides.

use crate::Result;
use block::{Name, PackedBlock};

/// What [`Source::read`] shows blocks to.
pub type Visitor<'a> = dyn FnMut(PackedBlock) -> Result<()> + 'a;

/// A place that blocks come from.
pub trait Source: Send + Sync {
    /// Shows blocks, in the order that is quickest for the place. Once those that have links take so many bytes, it may leave the
    /// others out; it shows one at least.
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()>;
}

/// A place that blocks go to.
///
/// Invariant, kept by the caller: **children before parents**. So "it has the block" means "it has everything below it".
///
/// A block that the place says that it has, and one that it has received, stays there as long as the transfer goes on.
pub trait Target: Send + Sync {
    /// Those of the names that the place does not have, in their order.
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>>;

    /// Keeps a block if it matches its name; false if the place is known to have had it.
    fn put(&self, block: &PackedBlock) -> Result<bool>;
}
