//! Directory listings: `.` and `..`, then the entries of a state of the volume.

use crate::convert::errno;
use fuse::Errno;
use volume::{DirectoryEntry, Inode, Kind, View};

/// Where a listing goes on behind `.` and behind `..`. The volume's cookies are higher.
const BEHIND_SELF: u64 = 1;
const BEHIND_PARENT: u64 = 2;

/// Gives the entries of a directory from a cookie on to `push`, until it says that no more fit.
pub(crate) fn list(
    view: &View,
    directory: Inode,
    cookie: u64,
    mut push: impl FnMut(DirectoryEntry) -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let dot = |name: &[u8], inode, cookie| DirectoryEntry { name: name.into(), inode, kind: Kind::Directory, cookie };
    if cookie < BEHIND_SELF && !push(dot(b".", directory, BEHIND_SELF))? {
        return Ok(());
    }
    if cookie < BEHIND_PARENT {
        let parent = Inode(view.attributes(directory).map_err(errno)?.parent);
        if !push(dot(b"..", parent, BEHIND_PARENT))? {
            return Ok(());
        }
    }
    let mut cookie = if cookie <= BEHIND_PARENT { 0 } else { cookie };
    loop {
        let entries = view.list(directory, cookie).map_err(errno)?;
        let Some(last) = entries.last() else { return Ok(()) };
        cookie = last.cookie;
        for entry in entries {
            if !push(entry)? {
                return Ok(());
            }
        }
    }
}
