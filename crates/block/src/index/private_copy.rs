//! A copy of an index's folder that can be opened, and changed, without a byte being written in the original.
//!
//! fjall cannot open a database to read only: it locks it, cuts its journal, and removes what a crash left. But its tables never
//! change once they are there, and they are nearly all of it. So the copy has links to them, and the rest as files of its own: a
//! table that is not needed any more loses its link, and new ones are made in the copy.

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

/// fjall's folder of tables in each keyspace.
const TABLES_FOLDER: &str = "tables";

/// Copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Makes the copy of an index, in a folder that is not there.
pub(super) fn make(index: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir(copy)?;
    let is_of_tables = index.file_name().is_some_and(|name| name == TABLES_FOLDER);
    for entry in fs::read_dir(index)? {
        let entry = entry?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            make(&from, &to)?;
        } else if is_of_tables {
            symlink(&from, &to)?;
        } else {
            copy_file(&from, &to)?;
        }
    }
    Ok(())
}

/// Copies what is written of a file: fjall's journal is mostly a hole.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (File::open(from)?, File::create_new(to)?);
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut end = 0;
    while let Some(begin) = next_data(&from, end)? {
        end = seek(&from, SeekFrom::Hole(begin))?;
        copy_range(&from, &to, begin, end)?;
    }
    Ok(())
}

fn next_data(file: &File, from: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(from)) {
        Err(Errno::NXIO) => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn copy_range(from: &File, to: &File, mut begin: u64, end: u64) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK_BYTES];
    while begin < end {
        let length = (end - begin).min(CHUNK_BYTES as u64) as usize;
        let length = from.read_at(&mut bytes[..length], begin)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&bytes[..length], begin)?;
        begin += length as u64;
    }
    Ok(())
}
