//! The files in which fjall lists a keyspace's tables, checked before it reads them.
//!
//! Beside each list fjall keeps its checksum, but does not compare it, and believes whatever count is in there: a damaged one makes it ask
//! for more memory than there is, which ends the process.

use std::fs;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;
use zerocopy::little_endian::{U64, U128};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// A keyspace's file `current`: which list is in use.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Current {
    number: U64,
    checksum: U128,
    /// 0: XXH3, 128 bits.
    checksum_kind: u8,
}

/// Whether every keyspace of an index has a list that is as it was written. A folder in which nothing is yet has none.
pub(super) fn are_whole(index: &Path) -> io::Result<bool> {
    let keyspaces = match fs::read_dir(index.join("keyspaces")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        keyspaces => keyspaces?,
    };
    for keyspace in keyspaces {
        if !is_whole(&keyspace?.path())? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_whole(keyspace: &Path) -> io::Result<bool> {
    let read = |name: &str| match fs::read(keyspace.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    };
    // fjall makes the folder before the list, so one without any is no damage.
    let Some(current) = read("current")? else { return Ok(true) };
    let Ok(Current { number, checksum, checksum_kind: 0 }) = Current::read_from_bytes(&current) else {
        return Ok(false);
    };
    Ok(read(&format!("v{number}"))?.is_some_and(|list| xxh3_128(&list) == checksum.get()))
}
