//! Reads and writes past the page cache (O_DIRECT).
//!
//! Local file systems ask for whole blocks, in memory, in the file and in length; a mount does not. So offsets and lengths are
//! rounded, and calls that cannot be are not made.

use super::content::Content;
use super::operation::{Operation, Slot};
use super::outcome::Outcome;
use super::player::Player;
use rustix::fs::OFlags;
use rustix::io::Result;

/// No block of a local file system is larger.
const BLOCK_BYTES: usize = 4096;

impl Player {
    /// What comes of a call for data of a file that is open for direct access. `None` if it is not, or the call is another one.
    pub(super) fn direct(&self, operation: &Operation) -> Result<Option<Outcome>> {
        Ok(match operation {
            Operation::Read { slot, at, bytes } if self.is_direct(*slot)? => Some(match at {
                Some(offset) => self.read_direct(*slot, *offset, *bytes)?.into(),
                None => Outcome::Nothing,
            }),
            Operation::Write { slot, at, content } if self.is_direct(*slot)? => Some(match at {
                Some(offset) if !self.status_flags(*slot)?.contains(OFlags::APPEND) => {
                    self.write_direct(*slot, *offset, *content)?.into()
                }
                _ => Outcome::Nothing,
            }),
            Operation::ReadVector { slot, .. } | Operation::WriteVector { slot, .. } if self.is_direct(*slot)? => {
                Some(Outcome::Nothing)
            }
            Operation::CopyRange { from, to, .. } if self.is_direct(*from)? || self.is_direct(*to)? => {
                Some(Outcome::Nothing)
            }
            _ => None,
        })
    }

    fn is_direct(&self, slot: Slot) -> Result<bool> {
        Ok(self.status_flags(slot)?.contains(OFlags::DIRECT))
    }

    fn status_flags(&self, slot: Slot) -> Result<OFlags> {
        rustix::fs::fcntl_getfl(self.file(slot)?)
    }

    fn read_direct(&self, slot: Slot, offset: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut memory = Vec::new();
        let buffer = whole_blocks(&mut memory, bytes);
        let length = rustix::io::pread(self.file(slot)?, &mut *buffer, rounded(offset))?;
        Ok(buffer[..length].to_vec())
    }

    fn write_direct(&self, slot: Slot, offset: u64, content: Content) -> Result<usize> {
        let content = content.to_vec();
        let mut memory = Vec::new();
        let buffer = whole_blocks(&mut memory, content.len());
        buffer[..content.len()].copy_from_slice(&content);
        rustix::io::pwrite(self.file(slot)?, buffer, rounded(offset))
    }
}

fn rounded(offset: u64) -> u64 {
    offset - offset % BLOCK_BYTES as u64
}

/// Zeros in whole blocks, at an address that is a multiple of a block.
fn whole_blocks(memory: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    let length = bytes.next_multiple_of(BLOCK_BYTES);
    memory.resize(length + BLOCK_BYTES, 0);
    let start = memory.as_ptr().align_offset(BLOCK_BYTES);
    &mut memory[start..start + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_blocks_lie_where_a_disk_takes_them() {
        for bytes in [0, 1, 4096, 5000] {
            let mut memory = Vec::new();
            let blocks = whole_blocks(&mut memory, bytes);
            assert!(blocks.as_ptr().addr().is_multiple_of(BLOCK_BYTES) && blocks.len().is_multiple_of(BLOCK_BYTES));
            assert!(blocks.len() >= bytes);
        }
    }
}
