//! The tree that is copied, and how it changes.

use anyhow::Result;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const FILES: u64 = 200_000;
const LARGE_BYTES: u64 = 512 << 20;
const LARGE_FILES: u64 = 2;
/// Directories at the top: one of them is what is renamed.
const PARTS: u64 = 10;
const FILES_PER_DIRECTORY: u64 = 200;
const KIBIBYTE: usize = 1 << 10;
const CHANGED_FILES: u64 = 10;
const INSIDE_BYTES: usize = 4 * KIBIBYTE;

/// A tree of many small files and two large ones, the same on every peer.
pub(super) struct Tree {
    root: PathBuf,
    files: u64,
    large_bytes: u64,
    /// Goes up with each edit, so that no two of them write the same.
    edition: u64,
    /// How often the directory was renamed.
    renamed: u64,
}

impl Tree {
    pub(super) fn new(root: &Path, factor: f64) -> Self {
        let of = |count: u64| (count as f64 * factor) as u64;
        let files = of(FILES).max(2 * PARTS * FILES_PER_DIRECTORY / 10);
        Self { root: root.to_owned(), files, large_bytes: of(LARGE_BYTES).max(1 << 20), edition: 0, renamed: 0 }
    }

    /// What a tree of this scale is, in words.
    pub(super) fn about(factor: f64) -> String {
        let tree = Self::new(Path::new(""), factor);
        let large = (LARGE_FILES * tree.large_bytes) >> 20;
        format!("{} files of 1 to 16 KiB, half compressible, and {large} MiB of large ones", tree.files)
    }

    /// Makes it.
    pub(super) fn make(&mut self) -> Result<()> {
        for file in 0..self.files {
            // The first file of each directory.
            if (file / PARTS).is_multiple_of(FILES_PER_DIRECTORY) {
                fs::create_dir_all(self.directory(file))?;
            }
            self.write(file)?;
        }
        for number in 0..LARGE_FILES {
            let mut file = File::create(self.large(number))?;
            for part in 0..self.large_bytes >> 20 {
                file.write_all(&content(1 << 20, (number << 32 | part) + 1, false))?;
            }
        }
        Ok(())
    }

    pub(super) fn change_ten(&mut self) -> Result<()> {
        self.change(CHANGED_FILES)
    }

    pub(super) fn change_percent(&mut self) -> Result<()> {
        self.change(self.files / 100)
    }

    /// Writes other content to so many files, evenly spread.
    fn change(&mut self, count: u64) -> Result<()> {
        self.edition += 1;
        (0..count).try_for_each(|index| self.write((index * self.files / count + self.edition) % self.files))
    }

    pub(super) fn change_inside(&mut self) -> Result<()> {
        self.edition += 1;
        let file = OpenOptions::new().write(true).open(self.large(0))?;
        let at = self.large_bytes / 3 * (self.edition % 3) + self.edition * INSIDE_BYTES as u64;
        Ok(file.write_all_at(&content(INSIDE_BYTES, self.edition, false), at)?)
    }

    /// Renames a directory that holds a tenth of the files.
    pub(super) fn rename(&mut self) -> Result<()> {
        let before = self.part(0);
        self.renamed += 1;
        Ok(fs::rename(before, self.part(0))?)
    }

    fn write(&self, file: u64) -> Result<()> {
        let number = file + self.edition * self.files;
        let length = KIBIBYTE + mixed(number) as usize % (15 * KIBIBYTE);
        Ok(fs::write(
            self.directory(file).join(format!("file-{file}")),
            content(length, number, file.is_multiple_of(2)),
        )?)
    }

    /// Files go to the top directories in turn.
    fn directory(&self, file: u64) -> PathBuf {
        self.part(file % PARTS).join(format!("directory-{}", file / PARTS / FILES_PER_DIRECTORY))
    }

    fn part(&self, part: u64) -> PathBuf {
        let suffix = if part == 0 { self.renamed } else { 0 };
        self.root.join(format!("part-{part}-{suffix}"))
    }

    fn large(&self, number: u64) -> PathBuf {
        self.root.join(format!("large-{number}"))
    }
}

/// Bytes that nothing else has; half of them in runs if they are to be compressible.
fn content(length: usize, number: u64, is_compressible: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut state = mixed(number);
    while bytes.len() < length {
        state = mixed(state);
        let word = state.to_le_bytes();
        bytes.extend_from_slice(&word);
        if is_compressible {
            bytes.extend_from_slice(&[b' '; 8]);
        }
    }
    bytes.truncate(length);
    bytes
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_tree_is_made_and_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(folder.path(), 0.001);
        tree.make().unwrap();
        let first = fs::read(tree.large(0)).unwrap();
        tree.change_inside().unwrap();
        assert_ne!(fs::read(tree.large(0)).unwrap(), first);
        tree.rename().unwrap();
        tree.change_ten().unwrap();
        tree.change_percent().unwrap();
        assert!(folder.path().join("part-0-1").is_dir());
    }
}
