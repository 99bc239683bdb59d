//! What a user means by a path or by the name of a state.

use crate::control::{Client, Request, Response};
use crate::node::source::Source;
use crate::past::{PastAnswer, PastOrder, StateName};
use crate::{defaults, output};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use volume::Timestamp;

/// A path on a mounted volume. What it leads to need not be there.
pub(super) struct Place {
    pub(super) store: PathBuf,
    pub(super) volume: String,
    pub(super) mountpoint: PathBuf,
    /// From the volume's top.
    pub(super) path: PathBuf,
}

impl Place {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let resolved = resolve(&defaults::absolute(path)?)?;
        let mounts = fuse::mounts::list().context("cannot read the table of mounts")?;
        let holds = |mount: &&fuse::mounts::FuseMount| resolved.starts_with(&mount.mountpoint);
        let mount = mounts.iter().filter(holds).max_by_key(|mount| mount.mountpoint.components().count());
        let not_ours = || format!("{} is in no Pantala mount; `pantala status` shows them", path.display());
        let store = mount.and_then(|mount| Source::parse(&mount.source)).with_context(not_ours)?.store;
        let status = Client::connect_to_running(&store)?.status()?;
        let mount = status.mounts.into_iter().find(|mount| resolved.starts_with(&mount.mountpoint));
        let mount = mount.with_context(not_ours)?;
        let path = resolved.strip_prefix(&mount.mountpoint).unwrap_or(Path::new("")).to_owned();
        Ok(Self { store, volume: mount.volume, mountpoint: mount.mountpoint, path })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.path.as_os_str().as_bytes().to_vec()
    }

    /// Where the mount shows a state: `.snapshots/NAME` or `.snapshots/@TIME`.
    pub(super) fn state(&self, state: &StateName) -> PathBuf {
        shown(&self.mountpoint, state)
    }

    pub(super) fn ask(&self, order: PastOrder) -> Result<PastAnswer> {
        ask(&self.store, Some(self.volume.clone()), order)
    }
}

/// Where a mount shows a state.
pub(super) fn shown(mountpoint: &Path, state: &StateName) -> PathBuf {
    match state {
        StateName::Snapshot(name) => mountpoint.join(".snapshots").join(name),
        StateName::Moment { seconds, nanoseconds } => {
            let time = Timestamp { seconds: *seconds, nanoseconds: *nanoseconds };
            mountpoint.join(".snapshots").join(format!("@{}", crate::past::utc(time)))
        }
        StateName::Now => mountpoint.to_owned(),
    }
}

/// Follows links as far as there is something. What is behind may be long gone.
fn resolve(path: &Path) -> Result<PathBuf> {
    let mut missing: Vec<&OsStr> = Vec::new();
    let mut there = path;
    loop {
        match (there.canonicalize(), there.parent(), there.file_name()) {
            (Ok(resolved), ..) => return Ok(missing.into_iter().rev().fold(resolved, |path, name| path.join(name))),
            (Err(_), Some(parent), Some(name)) => {
                missing.push(name);
                there = parent;
            }
            (Err(error), ..) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
        }
    }
}

/// Asks the node of a store about the past of a volume.
pub(super) fn ask(store: &Path, volume: Option<String>, order: PastOrder) -> Result<PastAnswer> {
    match Client::connect_to_running(store)?.ask(&Request::Past { volume, order })? {
        Response::Past(answer) => Ok(*answer),
        _ => bail!("the node did not understand; take it down and up again"),
    }
}

/// As [`ask`], for what is only done.
pub(super) fn order(store: &Path, volume: Option<String>, order: PastOrder) -> Result<()> {
    match ask(store, volume, order)? {
        PastAnswer::Done(lines) => Ok(output::print_lines(&lines)?),
        _ => bail!("the node did not understand; take it down and up again"),
    }
}

/// `[VOLUME@]NAME`. Without a volume it is the one in which the command was called, or else the first one.
pub(super) fn named(store: &Path, text: &str) -> Result<(Option<String>, String)> {
    Ok(named_from(volume_here(store)?.as_deref(), text))
}

/// As [`named`], where the volume of those without one is known.
pub(super) fn named_from(here: Option<&str>, text: &str) -> (Option<String>, String) {
    match text.split_once('@') {
        Some((volume, name)) if !volume.is_empty() => (Some(volume.to_owned()), name.to_owned()),
        Some((_, name)) => (here.map(str::to_owned), name.to_owned()),
        None => (here.map(str::to_owned), text.to_owned()),
    }
}

/// The volume on whose mount the command was called.
pub(super) fn volume_here(store: &Path) -> Result<Option<String>> {
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    let mounts = fuse::mounts::list().context("cannot read the table of mounts")?;
    if !mounts.iter().any(|mount| here.starts_with(&mount.mountpoint)) {
        return Ok(None);
    }
    let mounts = Client::connect_to_running(store)?.status()?.mounts;
    let holding = mounts.into_iter().filter(|mount| here.starts_with(&mount.mountpoint));
    Ok(holding.max_by_key(|mount| mount.mountpoint.components().count()).map(|mount| mount.volume))
}

/// `[VOLUME@]NAME` for a snapshot, `[VOLUME@]@TIME` for a moment, `[VOLUME@]@now` for the newest state.
pub(super) fn state(store: &Path, text: &str) -> Result<(Option<String>, StateName)> {
    let (volume, rest) = match text.split_once('@') {
        Some(("", _)) | None => (volume_here(store)?, text),
        Some((volume, rest)) => (Some(volume.to_owned()), rest),
    };
    Ok((volume, state_name(rest)?))
}

/// A state of a volume that is known already.
pub(super) fn state_name(text: &str) -> Result<StateName> {
    match text.strip_prefix('@') {
        Some("now" | "") => Ok(StateName::Now),
        Some(time) => Ok(StateName::at(moment(time)?)),
        None => Ok(StateName::Snapshot(text.to_owned())),
    }
}

/// A moment as a user writes it.
pub(super) fn moment(text: &str) -> Result<Timestamp> {
    Ok(volume::parse_moment(text, SystemTime::now().into(), &jiff::tz::TimeZone::system())?)
}
