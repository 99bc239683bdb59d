//! Reading and changing what files hold.
//!
//! Invariants:
//!
//! - A small file has one inline record and no extents; its content is exactly as long as the file. Any other file has extents,
//!   which do not overlap, do not cross a multiple of `CHUNK_BYTES`, and do not reach behind the file's end. What neither holds
//!   is a hole and reads as zero.
//! - A file's `allocated_bytes` is the length of its inline record, or the sum of its extents and of what is reserved beside them.
//! - Several extents, also of several files, may share a block. A dirty block that a clone shares is sealed first.
//! - Readers take the extents under the inode's lock and read the blocks, which never change, after it.

mod clone;
pub(crate) mod ranges;
mod read;
mod reserve;
mod resize;
mod seek;
mod write;

pub use clone::FilePoint;
pub use reserve::ReserveSize;
pub use seek::Seek;
