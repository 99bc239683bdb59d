//! `pantala restore`: a copy out of `.snapshots`, which shares all data with what it is copied from.
//!
//! It is made beside the place where it goes, and takes that place in one step when it is whole.

use super::places::{self, Place};
use super::tree_copy::TreeCopy;
use crate::arguments::Restore;
use crate::output;
use crate::past::{PastAnswer, PastOrder, StateName};
use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn run(arguments: Restore) -> Result<()> {
    let place = Place::of(&arguments.path)?;
    let state = match (&arguments.at, &arguments.snapshot) {
        (Some(time), _) => StateName::at(places::moment(time)?),
        (None, Some(name)) => StateName::Snapshot(name.clone()),
        (None, None) => newest_that_differs(&place, arguments.replace)?,
    };
    let source = place.state(&state).join(&place.path);
    check_source(&place, &state, &source)?;
    let target = arguments.to.clone().unwrap_or_else(|| place.mountpoint.join(&place.path));
    if target.symlink_metadata().is_ok() && !arguments.replace {
        bail!("{} is there; --replace puts the old version in its place, --to PATH beside it", target.display());
    }
    let copied = restore(&source, &target)?;
    Ok(output::print(&format!("{} is restored: {copied}\n", target.display()))?)
}

/// Without a state: the newest version that is not what there is now.
fn newest_that_differs(place: &Place, is_replacing: bool) -> Result<StateName> {
    let is_there = place.mountpoint.join(&place.path).symlink_metadata().is_ok();
    if is_there && !is_replacing {
        bail!("{} is there; name an older state with --at TIME or --snapshot NAME", place.path.display());
    }
    let PastAnswer::Versions(versions) = place.ask(PastOrder::Versions { path: place.bytes() })? else {
        bail!("the node told no versions; take it down and up again");
    };
    let path = String::from_utf8_lossy(&place.bytes()).into_owned();
    let old = versions.iter().find(|version| !version.live && version.path == path);
    let time = old.and_then(|version| version.last_kept.as_deref());
    let time = time.with_context(|| format!("no other version of {path} is kept"))?;
    Ok(StateName::at(places::moment(time)?))
}

fn check_source(place: &Place, state: &StateName, source: &Path) -> Result<()> {
    if source.symlink_metadata().is_ok() {
        return Ok(());
    }
    let top = place.state(state);
    let name = top.file_name().unwrap_or_default().display().to_string();
    match (top.symlink_metadata().is_ok(), state) {
        (true, _) => bail!("{} was not there in {name}; `pantala history` shows its versions", place.path.display()),
        (false, StateName::Snapshot(name)) => bail!("there is no snapshot {name}; `pantala snapshot list` shows all"),
        (false, _) => bail!("nothing is kept from before {name}"),
    }
}

fn restore(source: &Path, target: &Path) -> Result<String> {
    let aside = beside(target)?;
    let mut copy = TreeCopy::new();
    let copied = copy.copy(source, &aside).with_context(|| format!("cannot restore {}", target.display()));
    let copied = copied.and_then(|()| put_in_place(&aside, target));
    if copied.is_err() {
        remove(&aside);
    }
    copied.map(|()| copy.summary())
}

/// A name in the same directory that nothing has.
fn beside(target: &Path) -> Result<PathBuf> {
    let name = target.file_name().with_context(|| format!("{} has no name to restore to", target.display()))?;
    let mut aside = OsString::from(".");
    aside.push(name);
    aside.push(format!(".restored-{}", std::process::id()));
    Ok(target.with_file_name(aside))
}

fn put_in_place(aside: &Path, target: &Path) -> Result<()> {
    match renameat_with(CWD, aside, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => {
            let exchanged = renameat_with(CWD, aside, CWD, target, RenameFlags::EXCHANGE);
            exchanged.with_context(|| format!("cannot replace {}", target.display()))?;
            remove(aside);
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", target.display())),
    }
}

/// Takes away what was only on its way. What cannot be taken away is named, and harmless.
fn remove(aside: &Path) {
    let Ok(metadata) = aside.symlink_metadata() else { return };
    let removed = if metadata.is_dir() { fs::remove_dir_all(aside) } else { fs::remove_file(aside) };
    if let Err(error) = removed {
        output::complain(&format!("{} is left over: {error}; remove it", aside.display()));
    }
}
