//! Two trees, walked side by side: names, attributes, hard links and every byte.

use super::differences::Differences;
use super::facts::{Facts, Kind, Likeness};
use anyhow::{Context, Result};
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const CHUNK_BYTES: usize = 256 * 1024;

/// What has been compared.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// Fails unless all below `right` is as below `left`.
pub(super) fn expect_alike(left: &Path, right: &Path, likeness: Likeness) -> Result<Compared> {
    let mut comparison = Comparison::new(left, right, likeness);
    comparison.directory(Path::new(""))?;
    comparison.differences.expect_none(&format!("{} is as {}", right.display(), left.display()))?;
    Ok(comparison.compared)
}

/// Where two files first differ; none if they are equal.
pub(super) fn first_difference(left: &Path, right: &Path) -> io::Result<Option<u64>> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (mut left_chunk, mut right_chunk) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    let mut offset = 0;
    loop {
        let left_length = fill(&mut left, &mut left_chunk)?;
        let right_length = fill(&mut right, &mut right_chunk)?;
        let (left, right) = (&left_chunk[..left_length], &right_chunk[..right_length]);
        if left != right {
            let equal = left.iter().zip(right).take_while(|(left, right)| left == right).count();
            return Ok(Some(offset + equal as u64));
        }
        if left.is_empty() {
            return Ok(None);
        }
        offset += left_length as u64;
    }
}

/// The names in a directory, in order, `.git` aside where that is not to be compared.
pub(super) fn names(directory: &Path) -> Result<Vec<OsString>> {
    let entries = directory.read_dir().with_context(|| format!("{directory:?}"))?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

struct Comparison<'a> {
    left: &'a Path,
    right: &'a Path,
    likeness: Likeness,
    /// Of each inode with several names, the first name met.
    left_first: HashMap<u64, PathBuf>,
    right_first: HashMap<u64, PathBuf>,
    differences: Differences,
    compared: Compared,
}

impl<'a> Comparison<'a> {
    fn new(left: &'a Path, right: &'a Path, likeness: Likeness) -> Comparison<'a> {
        Comparison {
            left,
            right,
            likeness,
            left_first: HashMap::new(),
            right_first: HashMap::new(),
            differences: Differences::default(),
            compared: Compared::default(),
        }
    }

    fn directory(&mut self, path: &Path) -> Result<()> {
        let left = self.names(path, self.left)?;
        let right = self.names(path, self.right)?;
        for name in left.union(&right) {
            let path = path.join(name);
            match (left.contains(name), right.contains(name)) {
                (true, true) => self.entry(&path)?,
                (true, false) => self.differences.add(&path, "missing"),
                _ => self.differences.add(&path, "should not be there"),
            }
        }
        Ok(())
    }

    fn names(&mut self, path: &Path, side: &Path) -> Result<BTreeSet<OsString>> {
        let mut names = names(&side.join(path))?;
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            self.differences.add(&path.join(&twice[0]), format!("listed twice in {}", side.display()));
        }
        if self.likeness == Likeness::Checkout {
            names.retain(|name| name != OsStr::new(".git"));
        }
        Ok(names.into_iter().collect())
    }

    fn entry(&mut self, path: &Path) -> Result<()> {
        self.compared.entries += 1;
        let left = Facts::of(&self.left.join(path))?;
        let right = Facts::of(&self.right.join(path))?;
        for difference in left.differences(&right, self.likeness) {
            self.differences.add(path, difference);
        }
        self.links(path, &left, &right);
        match (left.kind, right.kind) {
            (Kind::Directory, Kind::Directory) => self.directory(path),
            (Kind::File, Kind::File) => self.content(path, left.size),
            _ => Ok(()),
        }
    }

    /// A file that is a further name of an earlier one has to be so on both sides.
    fn links(&mut self, path: &Path, left: &Facts, right: &Facts) {
        if left.kind == Kind::Directory || (left.links == 1 && right.links == 1) {
            return;
        }
        let left = self.left_first.entry(left.inode).or_insert_with(|| path.to_path_buf());
        let right = self.right_first.entry(right.inode).or_insert_with(|| path.to_path_buf());
        if left != right {
            self.differences.add(path, format!("a link to {left:?} against {right:?}"));
        }
    }

    fn content(&mut self, path: &Path, bytes: u64) -> Result<()> {
        self.compared.bytes += bytes;
        match first_difference(&self.left.join(path), &self.right.join(path)) {
            Ok(None) => (),
            Ok(Some(offset)) => self.differences.add(path, format!("content differs at byte {offset}")),
            Err(error) => self.differences.add(path, format!("cannot be read: {error}")),
        }
        Ok(())
    }
}

/// Reads until the chunk is full or the file ends.
fn fill(file: &mut File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match file.read(&mut chunk[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;

    /// Two equal trees with all that a comparison has to look at; then `change` is made to the second.
    fn found_after(change: impl Fn(&Path)) -> String {
        let (left, right) = (tree(), tree());
        let modified = fs::metadata(left.path().join("file")).unwrap().modified().unwrap();
        for name in ["file", "other", "directory"] {
            File::open(right.path().join(name)).unwrap().set_modified(modified).unwrap();
            File::open(left.path().join(name)).unwrap().set_modified(modified).unwrap();
        }
        change(right.path());
        let mut comparison = Comparison::new(left.path(), right.path(), Likeness::Copy);
        comparison.directory(Path::new("")).unwrap();
        let words = comparison.differences.words();
        // A symbolic link's time cannot be set by the standard library.
        words.lines().filter(|line| !line.contains("\"symlink\": modified")).collect::<Vec<_>>().join("\n")
    }

    fn tree() -> TempDir {
        let tree = TempDir::new().unwrap();
        let at = |name: &str| tree.path().join(name);
        fs::write(at("file"), "content").unwrap();
        fs::hard_link(at("file"), at("link")).unwrap();
        fs::write(at("other"), "content").unwrap();
        symlink("file", at("symlink")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        tree
    }

    fn keeping_time(path: &Path, change: impl Fn(&Path)) {
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        change(path);
        File::open(path).unwrap().set_modified(modified).unwrap();
    }

    #[test]
    fn equal_trees_do_not_differ() {
        assert_eq!(found_after(|_| ()), "");
    }

    #[test]
    fn a_changed_byte_is_found() {
        let found = found_after(|right| keeping_time(&right.join("other"), |path| fs::write(path, "con-ent").unwrap()));
        assert_eq!(found, "\"other\": content differs at byte 3");
    }

    #[test]
    fn a_missing_and_an_added_name_are_found() {
        let found = found_after(|right| {
            fs::remove_dir(right.join("directory")).unwrap();
            fs::write(right.join("new"), "").unwrap();
        });
        assert_eq!(found, "\"directory\": missing\n\"new\": should not be there");
    }

    #[test]
    fn a_mode_is_found() {
        let private = fs::Permissions::from_mode(0o600);
        let found = found_after(|right| fs::set_permissions(right.join("other"), private.clone()).unwrap());
        assert_eq!(found, "\"other\": mode 644 against 600");
    }

    #[test]
    fn a_time_off_by_a_nanosecond_is_found() {
        let found = found_after(|right| {
            let file = File::open(right.join("other")).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            file.set_modified(modified + std::time::Duration::from_nanos(1)).unwrap();
        });
        assert!(found.starts_with("\"other\": modified"), "{found}");
    }

    #[test]
    fn a_link_that_became_a_copy_is_found() {
        let found = found_after(|right| {
            let modified = fs::metadata(right.join("file")).unwrap().modified().unwrap();
            fs::remove_file(right.join("link")).unwrap();
            fs::copy(right.join("file"), right.join("link")).unwrap();
            File::open(right.join("link")).unwrap().set_modified(modified).unwrap();
        });
        assert!(found.contains("\"file\": links 2 against 1"), "{found}");
        assert!(found.contains("\"link\": a link to \"file\" against \"link\""), "{found}");
    }

    #[test]
    fn a_symbolic_links_target_is_found() {
        let found = found_after(|right| {
            fs::remove_file(right.join("symlink")).unwrap();
            symlink("oth!", right.join("symlink")).unwrap();
        });
        assert_eq!(found, "\"symlink\": target Some(\"file\") against Some(\"oth!\")");
    }

    #[test]
    fn an_extended_attribute_is_found() {
        let found = found_after(|right| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(right.join("other"), "user.note", b"text", flags).unwrap();
        });
        assert!(found.contains("\"other\": extended attributes {} against {\"user.note\""), "{found}");
    }
}
