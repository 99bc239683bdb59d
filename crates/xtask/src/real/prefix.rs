//! Prefix consistency, seen from a cut extraction.
//!
//! An extraction is one sequence of operations, member after member. What a crash leaves of it has to be the work of some first
//! part of that sequence: no member without all before it, and in no file a byte that the archive does not have there. How much
//! of the last files' content had reached the pool is the kernel's affair, so a file may be shorter than its source.

use super::compare;
use super::differences::Differences;
use anyhow::Result;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// What a cut extraction has left.
pub(super) struct Left {
    /// How many of the first members are there.
    pub(super) members: usize,
    /// How many files of them are shorter than their source.
    pub(super) shorter: usize,
}

/// Fails unless what is in `cut` is a prefix of the extraction whose whole is in `whole`.
pub(super) fn expect_prefix(members: &[PathBuf], whole: &Path, cut: &Path) -> Result<Left> {
    let mut differences = Differences::default();
    let mut left = Left { members: 0, shorter: 0 };
    let mut first_absent = None;
    for member in members {
        let Ok(metadata) = cut.join(member).symlink_metadata() else {
            first_absent.get_or_insert(member);
            continue;
        };
        if let Some(absent) = first_absent {
            differences.add(member, format!("is there, but {absent:?} before it is not"));
        }
        left.members += 1;
        left.shorter += usize::from(is_shorter(member, &metadata, whole, cut, &mut differences)?);
    }
    differences.expect_none(&format!("{} holds a prefix of the extraction", cut.display()))?;
    Ok(left)
}

fn is_shorter(
    member: &Path,
    metadata: &Metadata,
    whole: &Path,
    cut: &Path,
    differences: &mut Differences,
) -> Result<bool> {
    let source = whole.join(member);
    let source_metadata = source.symlink_metadata()?;
    if source_metadata.file_type() != metadata.file_type() {
        differences.add(member, "is of another kind than its source");
        return Ok(false);
    }
    if !metadata.is_file() {
        return Ok(false);
    }
    match compare::first_difference(&source, &cut.join(member)) {
        Ok(Some(offset)) if offset < metadata.len() => differences.add(member, format!("garbage at byte {offset}")),
        Ok(_) => (),
        Err(error) => differences.add(member, format!("cannot be read: {error}")),
    }
    Ok(metadata.len() < source_metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn found(cut: &[(&str, &str)]) -> Result<Left> {
        let whole = folder(&[("a", "first"), ("b", "second"), ("c", "third")]);
        let cut = folder(cut);
        expect_prefix(&["a", "b", "c"].map(PathBuf::from), whole.path(), cut.path())
    }

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, content)| fs::write(folder.path().join(name), content).unwrap());
        folder
    }

    #[test]
    fn the_first_members_are_a_prefix_and_the_last_may_be_short() {
        let left = found(&[("a", "first"), ("b", "sec")]).unwrap();
        assert_eq!((left.members, left.shorter), (2, 1));
    }

    #[test]
    fn a_gap_is_no_prefix() {
        let error = found(&[("a", "first"), ("c", "third")]).err().unwrap().to_string();
        assert!(error.contains("\"c\": is there, but \"b\" before it is not"), "{error}");
    }

    #[test]
    fn garbage_is_no_prefix() {
        let error = found(&[("a", "fi\0\0")]).err().unwrap().to_string();
        assert!(error.contains("\"a\": garbage at byte 2"), "{error}");
    }

    #[test]
    fn more_than_the_source_has_is_garbage() {
        let error = found(&[("a", "first and more")]).err().unwrap().to_string();
        assert!(error.contains("\"a\": garbage at byte 5"), "{error}");
    }
}
