//! What a node id of the kernel's names: the lower 48 bits are the number of an inode, the upper 16 say where it is.

use volume::Inode;

/// Bits of an inode number.
const INODE_BITS: u32 = volume::limits::INODE_NUMBER_MAX.trailing_zeros();

/// In the upper bits: the inode's `.snapshots`.
const SHELF: u16 = u16::MAX;

/// Highest number of a slot.
pub(crate) const SLOT_MAX: u16 = SHELF - 1;

/// Where an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the newest state.
    Live(Inode),
    /// The directory `.snapshots` of a directory of the newest state.
    Shelf(Inode),
    /// In a kept state, which has a slot from 1 on.
    Past {
        /// Its slot.
        slot: u16,
        /// The inode there.
        inode: Inode,
    },
}

impl Place {
    pub(crate) fn of(node: u64) -> Self {
        let inode = Inode(node & ((1 << INODE_BITS) - 1));
        match (node >> INODE_BITS) as u16 {
            0 => Self::Live(inode),
            SHELF => Self::Shelf(inode),
            slot => Self::Past { slot, inode },
        }
    }

    pub(crate) fn node(self) -> u64 {
        let (upper, inode) = match self {
            Self::Live(inode) => (0, inode),
            Self::Shelf(inode) => (SHELF, inode),
            Self::Past { slot, inode } => (slot, inode),
        };
        (upper as u64) << INODE_BITS | inode.0
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Live(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_node() {
        let inode = Inode(volume::limits::INODE_NUMBER_MAX - 1);
        let places = [Place::Live(inode), Place::Shelf(inode), Place::Past { slot: 1, inode }];
        for place in places.into_iter().chain([Place::Past { slot: SLOT_MAX, inode }, Place::Live(Inode::ROOT)]) {
            assert_eq!(Place::of(place.node()), place);
        }
        assert_eq!(Place::Live(Inode::ROOT).node(), fuse::ROOT);
    }
}
