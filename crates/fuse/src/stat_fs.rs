//! How full a file system is.

/// What `statfs(2)` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    /// All blocks, in units of `fragment_size`.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for unprivileged users.
    pub blocks_available: u64,
    /// All inodes.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Preferred size of I/O, in bytes.
    pub block_size: u32,
    /// Longest name, in bytes.
    pub name_length_max: u32,
    /// Size of the units that blocks are counted in, in bytes.
    pub fragment_size: u32,
}

impl Default for StatFs {
    /// An empty file system with 4 KiB blocks and names up to 255 bytes.
    fn default() -> Self {
        Self {
            blocks: 0,
            blocks_free: 0,
            blocks_available: 0,
            files: 0,
            files_free: 0,
            block_size: 4096,
            name_length_max: 255,
            fragment_size: 4096,
        }
    }
}
