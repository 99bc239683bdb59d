//! Listing a directory while names come and go in it.

use super::name::Name;
use super::outcome::Outcome;
use super::tree;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::io::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;

/// Names that the listing adds to the directory, and takes away at its end.
const CROWD: usize = 30;
/// Room for a few entries.
const BUFFER_BYTES: usize = 320;

/// Lists a directory in small pieces. Between the pieces a name goes, one comes, and one is renamed. The names that were there
/// all the time have to come exactly once.
pub(super) fn list_changing(directory: &Name) -> Outcome {
    // Nothing is made if there is no such directory: an empty path would become an absolute one.
    if let Err(error) = tree::names(directory) {
        return Outcome::Failed(error);
    }
    let listed = fill(directory).and_then(|()| list(directory));
    clear(directory);
    match listed {
        Ok((listed, stayed)) => judge(&listed, stayed),
        Err(error) => Outcome::Failed(error),
    }
}

fn crowd(kind: &str, number: usize) -> Name {
    Name::from(format!("crowd {kind} {number}").as_str())
}

fn is_passing(name: &Name) -> bool {
    [b"crowd goes".as_slice(), b"crowd is renamed"].iter().any(|kind| name.0.starts_with(kind))
}

fn fill(directory: &Name) -> Result<()> {
    for number in 0..CROWD {
        for kind in ["stays", "goes", "is renamed"] {
            make(&directory.join(&crowd(kind, number).0))?;
        }
    }
    Ok(())
}

fn make(path: &Name) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, &path.0, flags, Mode::from_raw_mode(0o644)).map(drop)
}

/// How often each name came, and the names that were there from the start to the end.
fn list(directory: &Name) -> Result<(BTreeMap<Name, usize>, Vec<Name>)> {
    let before: BTreeSet<Name> = tree::names(directory)?.into_iter().collect();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, &directory.0, flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
    let mut entries = RawDir::new(opened, &mut buffer);
    let mut listed = BTreeMap::new();
    let mut pieces = 0;
    while let Some(entry) = entries.next() {
        *listed.entry(Name(entry?.file_name().to_bytes().to_vec())).or_default() += 1;
        if entries.is_buffer_empty() && pieces < CROWD {
            change(directory, pieces)?;
            pieces += 1;
        }
    }
    let after: BTreeSet<Name> = tree::names(directory)?.into_iter().collect();
    Ok((listed, before.intersection(&after).cloned().collect()))
}

fn change(directory: &Name, number: usize) -> Result<()> {
    let at = |kind| directory.join(&crowd(kind, number).0);
    rustix::fs::unlinkat(CWD, &at("goes").0, AtFlags::empty())?;
    make(&at("comes"))?;
    rustix::fs::renameat(CWD, &at("is renamed").0, CWD, &at("was renamed").0)
}

fn clear(directory: &Name) {
    for number in 0..CROWD {
        for kind in ["stays", "goes", "comes", "is renamed", "was renamed"] {
            // Not all of them are there.
            let _ = rustix::fs::unlinkat(CWD, &directory.join(&crowd(kind, number).0).0, AtFlags::empty());
        }
    }
}

fn judge(listed: &BTreeMap<Name, usize>, stayed: Vec<Name>) -> Outcome {
    let dots = [".", ".."].map(Name::from);
    for name in stayed.iter().chain(&dots) {
        match listed.get(name) {
            Some(1) => (),
            Some(times) => return Outcome::Broken(format!("{name:?} was listed {times} times")),
            None => return Outcome::Broken(format!("{name:?} was not listed")),
        }
    }
    // How many of those that go are gone by the end depends on how many entries a piece holds.
    Outcome::Names(stayed.into_iter().filter(|name| !is_passing(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_changing_directory_of_a_local_file_system_lists_what_stays_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = Name(directory.path().as_os_str().as_bytes().to_vec());
        let Outcome::Names(names) = list_changing(&path) else { panic!("it does not") };
        assert_eq!(names.len(), CROWD);
        assert_eq!(tree::names(&path).unwrap(), []);
    }

    #[test]
    fn a_name_that_comes_twice_or_never_is_found() {
        let stayed = vec![Name::from("a")];
        let listed = |times: &[(&str, usize)]| times.iter().map(|(name, times)| (Name::from(*name), *times)).collect();
        let judged = |times| judge(&listed(times), stayed.clone());
        assert!(judged(&[(".", 1), ("..", 1), ("a", 1)]) == Outcome::Names(stayed.clone()));
        assert!(matches!(judged(&[(".", 1), ("..", 1), ("a", 2)]), Outcome::Broken(_)));
        assert!(matches!(judged(&[(".", 1), ("..", 1)]), Outcome::Broken(_)));
    }
}
