//! What a request takes away of what lets a program do more than its user.
//!
//! With `HANDLE_KILLPRIV_V2` the kernel leaves it to the file system: a write, a change of length or owner takes file capabilities
//! away, and, unless the caller may keep them, set-user-id and set-group-id. Where the kernel wants them gone and nothing else
//! changes, it sends a SETATTR that sets nothing, and learns the new mode from the answer.

use fuse::{Request, SetAttr, WriteOptions};
use volume::{Inode, Privileges, Volume};

/// What a SETATTR takes away. One that sets nothing comes before a write by somebody who may not keep the bits, and from a chown(2)
/// that changes no owner. It also comes before a write of root's to a file with capabilities, which would leave the bits on a local
/// file system: nothing in the request tells it apart, so they go there too.
pub(crate) fn of_set_attr(volume: &Volume, request: &Request, inode: Inode, set: &SetAttr) -> Privileges {
    let changes_owner = set.uid.is_some() || set.gid.is_some();
    let sets_nothing = !changes_owner
        && set.mode.is_none()
        && set.size.is_none()
        && set.atime.is_none()
        && set.mtime.is_none()
        && set.ctime.is_none();
    if set.kill_suidgid || changes_owner || sets_nothing {
        drop_all(volume, request, inode)
    } else if set.size.is_some() {
        Privileges::DropCapabilities
    } else {
        Privileges::Keep
    }
}

/// What a WRITE takes away. Pages that are written back were changed through a mapping, which takes nothing away.
pub(crate) fn of_write(volume: &Volume, request: &Request, inode: Inode, options: WriteOptions) -> Privileges {
    match options {
        WriteOptions { kill_suidgid: true, .. } => drop_all(volume, request, inode),
        WriteOptions { cached: true, .. } => Privileges::Keep,
        _ => Privileges::DropCapabilities,
    }
}

/// Members of the file's group, and who may do everything, leave set-group-id where the group may not execute. Groups are looked
/// up only for a file that has it.
fn drop_all(volume: &Volume, request: &Request, inode: Inode) -> Privileges {
    let Ok(attributes) = volume.attributes(inode) else { return Privileges::Drop };
    let is_member =
        || request.uid() == 0 || request.gid() == attributes.gid || is_in_group(request.pid(), attributes.gid);
    if attributes.permissions & libc::S_ISGID != 0 && is_member() { Privileges::DropAsMember } else { Privileges::Drop }
}

/// Whether a group is among the supplementary groups of a process (proc(5), `Groups` in status).
fn is_in_group(process: u32, group: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else { return false };
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    groups.split_whitespace().any(|number| number.parse() == Ok(group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use block::{MemoryIndex, Store, StoreOptions};
    use fuse::Caller;
    use sim::SimDisk;
    use std::sync::Arc;
    use volume::{Creator, NewInode, Pool, PoolOptions, VolumeId};

    const OWNER: Creator = Creator { uid: 0, gid: 5 };

    fn volume() -> (Pool, Arc<Volume>) {
        let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
        let options = PoolOptions { background: false, ..PoolOptions::new(OWNER) };
        let pool = Pool::open(Arc::new(store.unwrap()), options).unwrap();
        let volume = pool.volume(VolumeId::FIRST).unwrap();
        (pool, volume)
    }

    fn by(uid: u32, gid: u32) -> Request {
        Request::new(Caller { uid, gid, pid: u32::MAX, ..Caller::default() })
    }

    /// What the bits are after a request that takes away.
    fn left(permissions: u32, request: &Request, set: &SetAttr) -> u32 {
        let (_pool, volume) = volume();
        let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, permissions, OWNER).unwrap();
        let privileges = of_set_attr(&volume, request, file, set);
        volume.set_attributes(file, &crate::convert::changes(set, privileges)).unwrap().permissions
    }

    /// Found by the model test against ext4: the kernel asks by a SETATTR that sets nothing, and believes the mode in the answer.
    #[test]
    fn a_request_that_sets_nothing_takes_set_id_bits_away() {
        let nothing = SetAttr::default();
        assert_eq!(left(0o4777, &by(1000, 1000), &nothing), 0o777);
        assert_eq!(left(0o2755, &by(0, 0), &nothing), 0o755);
        assert_eq!(left(0o2644, &by(1000, 1000), &nothing), 0o644);
        assert_eq!(left(0o2644, &by(1000, OWNER.gid), &nothing), 0o2644);
    }

    #[test]
    fn times_take_nothing_away_and_a_new_owner_does() {
        let times = SetAttr { mtime: Some(fuse::SetTime::Now), ..SetAttr::default() };
        assert_eq!(left(0o6755, &by(1000, 1000), &times), 0o6755);
        let owner = SetAttr { uid: Some(7), ..SetAttr::default() };
        assert_eq!(left(0o6755, &by(0, 0), &owner), 0o755);
    }
}
