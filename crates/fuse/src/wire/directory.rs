//! Directory records.

use super::wire;

wire! {
    /// `struct fuse_dirent` up to the name, which follows and is padded to 8 bytes
    DirectoryEntry: 24 {
        ino: u64,
        off: u64,
        name_length: u32,
        kind: u32,
    }
}
