//! Bytes to write, told by a few numbers.

use crate::real::chance::Chance;

#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Random {
        seed: u64,
        bytes: usize,
    },
    Zeros {
        bytes: usize,
    },
    /// A file capability (linux/capability.h, VFS_CAP_REVISION_2): the kernel checks its form.
    Capability,
    /// An access list (linux/posix_acl_xattr.h) that gives one more user the right to read.
    AccessList,
}

impl Content {
    pub(super) fn to_vec(self) -> Vec<u8> {
        match self {
            Content::Random { seed, bytes } => Chance::new(seed).bytes(bytes),
            Content::Zeros { bytes } => vec![0; bytes],
            Content::Capability => capability(),
            Content::AccessList => access_list(),
        }
    }
}

/// CAP_NET_RAW, permitted and effective.
fn capability() -> Vec<u8> {
    [0x0200_0001_u32, 1 << 13, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn access_list() -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    const ENTRIES: [(u16, u16, u32); 5] =
        [(1, 6, NOBODY), (2, 4, 1001), (4, 4, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY)];
    let entry = |(tag, permissions, id): (u16, u16, u32)| {
        [tag.to_le_bytes().as_slice(), &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [2_u32.to_le_bytes().to_vec(), ENTRIES.map(entry).concat()].concat()
}
