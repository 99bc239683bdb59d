//! Reading both sides again, and healing each from the other.
//!
//! Each place reads its whole log, follows what it needs, and names the blocks that it cannot have. What the other place has is
//! brought over. A block that was healed may have hidden others below it, so a place looks again, until it finds nothing more that
//! can be healed.

use crate::Result;
use crate::limits::VERIFY_ROUNDS_MAX;
use block::{Name, PackedBlock};
use std::collections::BTreeSet;

/// A place whose blocks can be verified and healed.
pub trait Verifiable {
    /// Reads everything, the first time, and gives the blocks that are needed and cannot be had.
    fn verify(&self) -> Result<Vec<Name>>;

    /// A block; `None` if it cannot be had here.
    fn fetch(&self, name: &Name) -> Result<Option<PackedBlock>>;

    /// Writes a block anew. Durable when this returns.
    fn heal(&self, block: &PackedBlock) -> Result<()>;
}

impl<V: Verifiable + ?Sized> Verifiable for &V {
    fn verify(&self) -> Result<Vec<Name>> {
        (**self).verify()
    }

    fn fetch(&self, name: &Name) -> Result<Option<PackedBlock>> {
        (**self).fetch(name)
    }

    fn heal(&self, block: &PackedBlock) -> Result<()> {
        (**self).heal(block)
    }
}

/// What came of verifying one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blocks that were damaged or missing and are there again.
    pub healed: BTreeSet<Name>,
    /// Blocks that neither place has.
    pub lost: BTreeSet<Name>,
}

/// Verifies both places and heals each from the other.
pub fn verify(source: &dyn Verifiable, replica: &dyn Verifiable) -> Result<(Verified, Verified)> {
    let (mut of_source, mut of_replica) = (Verified::default(), Verified::default());
    for _ in 0..VERIFY_ROUNDS_MAX {
        let is_more_at_source = heal(source, replica, &mut of_source)?;
        let is_more_at_replica = heal(replica, source, &mut of_replica)?;
        if !is_more_at_source && !is_more_at_replica {
            break;
        }
    }
    Ok((of_source, of_replica))
}

/// One look at a place; true if something was healed, so that another look may find more.
fn heal(place: &dyn Verifiable, other: &dyn Verifiable, verified: &mut Verified) -> Result<bool> {
    let before = verified.healed.len();
    verified.lost.clear();
    for name in place.verify()? {
        match other.fetch(&name)? {
            Some(block) => {
                place.heal(&block)?;
                verified.healed.insert(name);
            }
            None => drop(verified.lost.insert(name)),
        }
    }
    Ok(verified.healed.len() > before)
}
