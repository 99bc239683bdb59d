//! Contents by their data and holes (lseek(2), SEEK_DATA and SEEK_HOLE).
//!
//! Where a file system has holes is its own affair; that whatever it calls a hole reads as zero is not.

use super::outcome::Outcome;
use super::raw;
use rustix::fs::{Advice, SeekFrom};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

const PAGE_BYTES: usize = 4096;
const CHUNK_BYTES: usize = 64 << 10;
/// Of a hole, no more is read than this from its start and from its end.
const CHECKED_BYTES_MAX: u64 = 256 << 10;

/// A digest of a content that is the same wherever its holes are.
pub(super) fn digest(file: impl AsFd) -> Result<String> {
    // What was written through mappings has to be with the file system before it is asked for data.
    raw::sync_file_range(file.as_fd())?;
    evict(&file)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    let mut next = 0;
    while let Some((from, to)) = data_range(&file, next)? {
        let mut at = from - from % PAGE_BYTES as u64;
        while at < to {
            let length = fill(&file, at, &mut buffer)?;
            if length == 0 {
                break;
            }
            for (number, page) in buffer[..length].chunks(PAGE_BYTES).enumerate().filter(|(_, page)| !is_zero(page)) {
                hasher.update(&(at + (number * PAGE_BYTES) as u64).to_le_bytes());
                hasher.update(without_zeros(page));
                bytes += without_zeros(page).len();
            }
            at += length as u64;
        }
        next = to.max(at);
    }
    Ok(format!("{bytes} bytes, {}", &hasher.finalize().to_hex()[..8]))
}

/// Drops a file's pages from the kernel's cache: the next read asks the file system.
pub(super) fn evict(file: impl AsFd) -> Result<()> {
    rustix::fs::fadvise(file, 0, None, Advice::DontNeed)
}

/// Without the zeros at the end: where a file ends within a page is told by its size.
fn without_zeros(page: &[u8]) -> &[u8] {
    let length = page.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &page[..length]
}

/// The next stretch of data from an offset on.
fn data_range(file: impl AsFd, offset: u64) -> Result<Option<(u64, u64)>> {
    match rustix::fs::seek(&file, SeekFrom::Data(offset)) {
        Ok(from) => Ok(Some((from, rustix::fs::seek(&file, SeekFrom::Hole(from))?))),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks for data. Where it is, both sides need not agree; that all before it is zero, they have to.
pub(super) fn seek_data(file: impl AsFd, offset: u64) -> Outcome {
    let size = match size(&file) {
        Ok(size) => size,
        Err(error) => return Outcome::Failed(error),
    };
    match keeping_position(&file, || rustix::fs::seek(&file, SeekFrom::Data(offset))) {
        Ok(found) if found < offset || found >= size => {
            Outcome::Broken(format!("data from {offset} on at {found} of {size} bytes"))
        }
        Ok(found) => expect_zero(&file, offset, found),
        Err(Errno::NXIO) if offset < size => expect_zero(&file, offset, size),
        Err(error) => Outcome::Failed(error),
    }
}

/// Looks for a hole, and at what is in it.
pub(super) fn seek_hole(file: impl AsFd, offset: u64) -> Outcome {
    let size = match size(&file) {
        Ok(size) => size,
        Err(error) => return Outcome::Failed(error),
    };
    match keeping_position(&file, || rustix::fs::seek(&file, SeekFrom::Hole(offset))) {
        Ok(found) if found < offset || found > size => {
            Outcome::Broken(format!("a hole from {offset} on at {found} of {size} bytes"))
        }
        Ok(found) if found == size => Outcome::Done,
        Ok(found) => seek_data(&file, found),
        Err(error) => Outcome::Failed(error),
    }
}

fn size(file: impl AsFd) -> Result<u64> {
    Ok(rustix::fs::fstat(file)?.st_size as u64)
}

/// Both sides look for holes where the other has none: afterwards, the position is where it was.
fn keeping_position(file: impl AsFd, look: impl Fn() -> Result<u64>) -> Result<u64> {
    let position = rustix::fs::seek(&file, SeekFrom::Current(0))?;
    let found = look();
    rustix::fs::seek(&file, SeekFrom::Start(position))?;
    found
}

/// Looks at both ends of a range that was said to be a hole. A file that cannot be read cannot be looked at.
fn expect_zero(file: impl AsFd, from: u64, to: u64) -> Outcome {
    let middle = from + ((to - from) / 2).min(CHECKED_BYTES_MAX);
    let late = to - (to - middle).min(CHECKED_BYTES_MAX);
    for (from, to) in [(from, middle), (late, to)] {
        match first_data(&file, from, to) {
            Ok(None) => (),
            Ok(Some(offset)) => return Outcome::Broken(format!("data at {offset} in a hole")),
            Err(Errno::BADF) => return Outcome::Done,
            Err(error) => return Outcome::Failed(error),
        }
    }
    Outcome::Done
}

fn first_data(file: impl AsFd, from: u64, to: u64) -> Result<Option<u64>> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut at = from;
    while at < to {
        let wanted = (to - at).min(CHUNK_BYTES as u64) as usize;
        let length = fill(&file, at, &mut buffer[..wanted])?;
        if let Some(place) = buffer[..length].iter().position(|byte| *byte != 0) {
            return Ok(Some(at + place as u64));
        }
        at += wanted as u64;
    }
    Ok(None)
}

/// Reads until the buffer is full or the file ends.
fn fill(file: impl AsFd, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::pread(&file, &mut buffer[length..], offset + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    fn file(size: u64, writes: &[(u64, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        writes.iter().for_each(|(offset, bytes)| file.write_all_at(bytes, *offset).unwrap());
        file
    }

    #[test]
    fn a_digest_is_the_same_with_holes_and_without() {
        let sparse = file(1 << 20, &[(70_001, b"an island")]);
        let full = file(1 << 20, &[(0, &[0; 1 << 20]), (70_001, b"an island")]);
        assert_eq!(digest(&sparse).unwrap(), digest(&full).unwrap());
    }

    #[test]
    fn a_digest_tells_where_a_byte_is() {
        let [one, other] = [70_001, 70_002].map(|offset| file(1 << 20, &[(offset, b"an island")]));
        assert_ne!(digest(&one).unwrap(), digest(&other).unwrap());
    }

    #[test]
    fn data_in_a_hole_is_found() {
        let file = file(1 << 20, &[(70_001, b"an island")]);
        assert!(expect_zero(&file, 0, 70_001) == Outcome::Done);
        assert!(expect_zero(&file, 0, 1 << 20) == Outcome::Broken("data at 70001 in a hole".to_owned()));
    }
}
