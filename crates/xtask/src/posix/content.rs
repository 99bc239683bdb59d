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
    /// An access list (linux/posix_acl_xattr.h), by a number that says which entries it has.
    AccessList {
        form: u64,
    },
}

impl Content {
    pub(super) fn to_vec(self) -> Vec<u8> {
        match self {
            Content::Random { seed, bytes } => Chance::new(seed).bytes(bytes),
            Content::Zeros { bytes } => vec![0; bytes],
            Content::Capability => capability(),
            Content::AccessList { form } => access_list(form),
        }
    }
}

/// CAP_NET_RAW, permitted and effective.
fn capability() -> Vec<u8> {
    [0x0200_0001_u32, 1 << 13, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Mostly lists that are right: entries for the owner, named users, the owning group, named groups, mask and others, in this order.
/// Now and then one lacks what it must have, or holds what it may not.
fn access_list(form: u64) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let [owner, user, owning_group, group, mask, others] = [1_u16, 2, 4, 8, 0x10, 0x20];
    let mut chance = Chance::new(form);
    let mut entries = vec![(owner, NOBODY)];
    entries.extend([1001, 1002].iter().filter(|_| chance.within(0..2) == 0).map(|id| (user, *id)));
    entries.push((owning_group, NOBODY));
    entries.extend((chance.within(0..3) == 0).then_some((group, 2000)));
    let needs_mask = entries.len() > 2;
    entries.extend((needs_mask || chance.within(0..4) == 0).then_some((mask, NOBODY)));
    entries.push((others, NOBODY));
    match chance.within(0..12) {
        0 => drop(entries.remove(chance.within(0..entries.len()))),
        1 => entries.swap(0, 1),
        2 => entries.push((0x40, NOBODY)),
        _ => (),
    }
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, id) in entries {
        let permissions = chance.within(0..8) as u16;
        list.extend([tag.to_le_bytes().as_slice(), &permissions.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    list
}
