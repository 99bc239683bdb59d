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
