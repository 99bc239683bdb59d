//! Listing directories.

use crate::change::Dentry;
use crate::dirty_inode::DentryKey;
use crate::limits::DIRECTORY_BATCH_ENTRIES;
use crate::{Inode, Kind, Result, View};

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name.
    pub name: Box<[u8]>,
    /// The inode it leads to.
    pub inode: Inode,
    /// What that is.
    pub kind: Kind,
    /// Where a listing goes on behind this entry. It stays right while the directory changes.
    pub cookie: u64,
}

impl View {
    /// Some entries of a directory, from a cookie on (0 for the first); none at the end. `.` and `..` are not among them, and
    /// cookies below 16 are free for them. An entry that is there all the time comes once, whatever else changes; only if
    /// names share a 63-bit hash, and the listing is resumed between them, they come again.
    pub fn list(&self, directory: Inode, cookie: u64) -> Result<Vec<DirectoryEntry>> {
        self.directory(directory)?;
        let entries = self.layers.dentries(directory, cookie, DIRECTORY_BATCH_ENTRIES)?;
        let entry = |((hash, name), dentry): (DentryKey, Dentry)| DirectoryEntry {
            name,
            inode: Inode(dentry.inode),
            kind: dentry.kind,
            cookie: hash + 1,
        };
        let mut entries: Vec<_> = entries.into_iter().map(entry).collect();
        repeat_equal_hashes(&mut entries);
        Ok(entries)
    }
}

/// A listing that stops between entries with the same hash goes on at the first of them: none is left out.
fn repeat_equal_hashes(entries: &mut [DirectoryEntry]) {
    for index in 1..entries.len() {
        if entries[index - 1].cookie == entries[index].cookie {
            entries[index - 1].cookie -= 1;
        }
    }
}
