//! `pantala sync`.
//!
//! What programs wrote may still lie in the kernel's cache: each mount is asked for it first, by syncfs(2).

use crate::arguments::Sync;
use crate::control::{Client, Request};
use crate::node::source::Source;
use crate::status::MountStatus;
use crate::{defaults, output};
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

pub(super) fn run(arguments: Sync) -> Result<()> {
    let store = match &arguments.path {
        Some(path) => store_of(path)?,
        None => defaults::store(arguments.store.store)?,
    };
    sync_kernels(&store)?;
    let lines = Client::connect_to_running(&store)?.order(&Request::Sync)?;
    Ok(output::print_lines(&lines)?)
}

/// Has the kernel hand over what it has cached of a node's mounts; nothing if the node is not up.
pub(super) fn sync_kernels(store: &Path) -> Result<()> {
    let Some(node) = Client::connect(store)? else { return Ok(()) };
    node.status()?.mounts.iter().try_for_each(sync_kernel)
}

fn sync_kernel(mount: &MountStatus) -> Result<()> {
    let synced = File::open(&mount.mountpoint).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
    synced.with_context(|| format!("cannot sync the mount {}", mount.mountpoint.display()))
}

/// The store behind a path: its mount names it.
fn store_of(path: &Path) -> Result<PathBuf> {
    let resolved = path.canonicalize().with_context(|| format!("cannot sync {}", path.display()))?;
    let mounts = fuse::mounts::list().context("cannot read the table of mounts")?;
    let holds = |mount: &&fuse::mounts::FuseMount| resolved.starts_with(&mount.mountpoint);
    let mount = mounts.iter().filter(holds).max_by_key(|mount| mount.mountpoint.components().count());
    let source = mount.and_then(|mount| Source::parse(&mount.source));
    let source =
        source.with_context(|| format!("{} is in no Pantala mount; `pantala status` shows them", path.display()));
    Ok(source?.store)
}
