//! Our own exerciser, for what the crate `fsx` does not know: zero range, ranges that are set aside, copies between two files.
//!
//! Two files on the mount against the same bytes in memory: each operation is done to both, and what is read must be equal.

use super::operation::{FILE_BYTES_MAX, FILES, Operation, Place};
use crate::posix::mapping::Mapping;
use crate::real::chance::Chance;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Advice, FallocateFlags};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Operations between two looks at the whole of both files.
const WHOLE_INTERVAL: usize = 1_000;
/// Operations between two evictions with cold caches.
const EVICTION_INTERVAL: usize = 20;
/// How many of the last operations an error shows.
const SHOWN_MAX: usize = 30;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Caches {
    Warm,
    /// The pages of the files are dropped again and again.
    Cold,
}

/// What the files in a directory have to hold.
pub(super) struct Expected {
    paths: [PathBuf; FILES],
    contents: [Vec<u8>; FILES],
}

impl Expected {
    pub(super) fn check(&self) -> Result<()> {
        for (path, content) in self.paths.iter().zip(&self.contents) {
            expect_equal(&fs::read(path)?, content, 0).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Does so many operations on new files in a directory; an error names the last ones.
pub(super) fn exercise(directory: &Path, operations: usize, seed: u64, caches: Caches) -> Result<Expected> {
    let paths: [PathBuf; FILES] = std::array::from_fn(|file| directory.join(format!("ranges-{file}")));
    let mut exerciser = Exerciser::new(&paths, seed)?;
    let mut chance = Chance::new(seed);
    let mut last = VecDeque::new();
    for number in 0..operations {
        let operation = Operation::random(&mut chance);
        if last.len() == SHOWN_MAX {
            last.pop_front();
        }
        last.push_back(format!("{number}: {operation:?}"));
        let done = exerciser.play(&operation).and_then(|()| exerciser.look_around(number, caches));
        done.with_context(|| format!("the last operations:\n{}", last.make_contiguous().join("\n")))?;
    }
    exerciser.expect_whole()?;
    Ok(Expected { paths, contents: exerciser.subjects.map(|subject| subject.content) })
}

struct Exerciser {
    subjects: [Subject; FILES],
    /// What is written, cut out somewhere.
    noise: Vec<u8>,
    chance: Chance,
    buffer: Vec<u8>,
}

/// A file, and what it has to hold.
struct Subject {
    file: File,
    /// `None` only while its pages are dropped: mapped ones would stay.
    mapping: Option<Mapping>,
    content: Vec<u8>,
}

impl Exerciser {
    fn new(paths: &[PathBuf; FILES], seed: u64) -> Result<Exerciser> {
        let mut chance = Chance::new(!seed);
        let noise = chance.bytes(2 * FILE_BYTES_MAX);
        let [first, second] = paths;
        let subjects = [Subject::new(first)?, Subject::new(second)?];
        Ok(Exerciser { subjects, noise, chance, buffer: vec![0; FILE_BYTES_MAX + 1] })
    }

    fn play(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Read(place) => self.subjects[place.file].expect_read(place, &mut self.buffer),
            Operation::ReadMapped(place) => self.subjects[place.file].expect_mapped(place),
            Operation::Write(place) => {
                let noise = noise(&self.noise, &mut self.chance, place.range.len());
                self.subjects[place.file].write(place, noise)
            }
            Operation::WriteMapped(place) => {
                let noise = noise(&self.noise, &mut self.chance, place.range.len());
                self.subjects[place.file].write_mapped(place, noise)
            }
            Operation::Truncate { file, size } => self.subjects[*file].truncate(*size),
            Operation::Punch(place) => {
                self.subjects[place.file].zero(place, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE)
            }
            Operation::Zero { place, keep_size } => {
                self.subjects[place.file].zero(place, FallocateFlags::ZERO_RANGE | keeping(*keep_size))
            }
            Operation::Allocate { place, keep_size } => self.subjects[place.file].allocate(place, keeping(*keep_size)),
            Operation::Copy { from, file, offset } => self.copy(from, *file, *offset),
            Operation::SyncMapped { file } => Ok(self.subjects[*file].mapping()?.sync()?),
            Operation::Sync { file } => Ok(self.subjects[*file].file.sync_all()?),
        }
    }

    fn copy(&mut self, from: &Place, file: usize, offset: usize) -> Result<()> {
        let source = &self.subjects[from.file];
        let end = from.range.end.min(source.content.len());
        let bytes = source.content.get(from.range.start..end).unwrap_or_default().to_vec();
        let (mut read_at, mut written_at) = (from.range.start as u64, offset as u64);
        let mut copied = 0;
        // Not asked for more when all is copied: the end of the file may have moved by the copy itself.
        while copied < bytes.len() || copied == 0 {
            let (target, rest) = (&self.subjects[file].file, from.range.len() - copied);
            let step =
                rustix::fs::copy_file_range(&source.file, Some(&mut read_at), target, Some(&mut written_at), rest)?;
            if step == 0 {
                break;
            }
            copied += step;
        }
        ensure!(copied == bytes.len(), "{copied} bytes were copied instead of {}", bytes.len());
        self.subjects[file].keep(offset, &bytes);
        Ok(())
    }

    fn look_around(&mut self, number: usize, caches: Caches) -> Result<()> {
        if caches == Caches::Cold && number.is_multiple_of(EVICTION_INTERVAL) {
            self.subjects.iter_mut().try_for_each(Subject::evict)?;
        }
        match number % WHOLE_INTERVAL {
            0 => self.expect_whole(),
            _ => Ok(()),
        }
    }

    fn expect_whole(&mut self) -> Result<()> {
        for (file, subject) in self.subjects.iter().enumerate() {
            // One byte more than there may be: a file that is too long shows.
            let place = Place { file, range: 0..FILE_BYTES_MAX + 1 };
            subject.expect_read(&place, &mut self.buffer).with_context(|| format!("the whole of file {file}"))?;
        }
        Ok(())
    }
}

impl Subject {
    fn new(path: &Path) -> Result<Subject> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        let mapping = Some(Mapping::new(&file, true, true)?);
        Ok(Subject { file, mapping, content: Vec::new() })
    }

    fn mapping(&self) -> Result<&Mapping> {
        self.mapping.as_ref().context("the file is not mapped")
    }

    /// What is within the file of a range.
    fn content(&self, place: &Place) -> &[u8] {
        let end = place.range.end.min(self.content.len());
        self.content.get(place.range.start..end).unwrap_or_default()
    }

    fn expect_read(&self, place: &Place, buffer: &mut [u8]) -> Result<()> {
        let buffer = &mut buffer[..place.range.len()];
        let length = self.file.read_at(buffer, place.range.start as u64)?;
        expect_equal(&buffer[..length], self.content(place), place.range.start)
    }

    fn expect_mapped(&self, place: &Place) -> Result<()> {
        let read = self.mapping()?.read(place.range.start, place.range.len())?.unwrap_or_default();
        expect_equal(&read, self.content(place), place.range.start)
    }

    fn write(&mut self, place: &Place, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, place.range.start as u64)?;
        self.keep(place.range.start, bytes);
        Ok(())
    }

    fn write_mapped(&mut self, place: &Place, bytes: &[u8]) -> Result<()> {
        let length = self.content(place).len();
        let written = self.mapping()?.write(place.range.start, bytes)?.unwrap_or_default();
        ensure!(written == length, "{written} bytes of the mapping are in the file instead of {length}");
        self.keep(place.range.start, &bytes[..length]);
        Ok(())
    }

    fn truncate(&mut self, size: usize) -> Result<()> {
        self.file.set_len(size as u64)?;
        self.content.resize(size, 0);
        Ok(())
    }

    fn zero(&mut self, place: &Place, flags: FallocateFlags) -> Result<()> {
        self.allocate(place, flags)?;
        let end = place.range.end.min(self.content.len());
        self.content.get_mut(place.range.start..end).unwrap_or_default().fill(0);
        Ok(())
    }

    fn allocate(&mut self, place: &Place, flags: FallocateFlags) -> Result<()> {
        rustix::fs::fallocate(&self.file, flags, place.range.start as u64, place.range.len() as u64)?;
        if !flags.contains(FallocateFlags::KEEP_SIZE) {
            self.content.resize(self.content.len().max(place.range.end), 0);
        }
        Ok(())
    }

    /// Nothing, if there are no bytes: then the file gets no longer.
    fn keep(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        self.content.resize(self.content.len().max(end), 0);
        self.content[offset..end].copy_from_slice(bytes);
    }

    /// Drops the pages of the file from the kernel's cache, after what has changed in them has been written.
    fn evict(&mut self) -> Result<()> {
        self.mapping()?.flush()?;
        self.mapping = None;
        rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?;
        self.mapping = Some(Mapping::new(&self.file, true, true)?);
        Ok(())
    }
}

fn keeping(keep_size: bool) -> FallocateFlags {
    if keep_size { FallocateFlags::KEEP_SIZE } else { FallocateFlags::empty() }
}

fn noise<'a>(noise: &'a [u8], chance: &mut Chance, length: usize) -> &'a [u8] {
    let start = chance.within(0..noise.len() - length);
    &noise[start..start + length]
}

/// Bytes that were read from an offset.
fn expect_equal(read: &[u8], expected: &[u8], offset: usize) -> Result<()> {
    if read == expected {
        return Ok(());
    }
    match read.iter().zip(expected).position(|(read, expected)| read != expected) {
        Some(at) => bail!("byte {} is {:#04x} instead of {:#04x}", offset + at, read[at], expected[at]),
        None => bail!("from byte {offset} on, there are {} bytes instead of {}", read.len(), expected.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found() {
        assert!(expect_equal(b"abc", b"abc", 0).is_ok());
        assert_eq!(expect_equal(b"abc", b"abd", 10).unwrap_err().to_string(), "byte 12 is 0x63 instead of 0x64");
        assert!(expect_equal(b"abc", b"ab", 0).is_err() && expect_equal(b"", b"a", 0).is_err());
    }
}
