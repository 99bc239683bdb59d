//! Bringing a node up.

use super::announcement::Announcement;
use super::events::Event;
use super::mirror_schedule::MirrorSchedule;
use super::mirrors::Mirrors;
use super::mountpoint::Mountpoint;
use super::mounts::Mounts;
use super::places::Places;
use super::schedule;
use super::scrubber::Scrubber;
use super::{Node, Options, inspection, preflight, server, signals};
use crate::control;
use crate::runtime::Runtime;
use crate::{defaults, memory};
use anyhow::{Context, Result};
use block::{OpenMode, Store, StoreOptions};
use parking_lot::Mutex;
use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;
use volume::{Creator, Pool, PoolOptions, VolumeId};

/// Starts a node. `opened` is called with where its log goes, once the store is known to be one; `progress` with the bytes of the log
/// that were read to make an index, and those to read.
///
/// What can fail without having written anything comes first.
pub(super) fn start(
    options: &Options,
    opened: impl FnOnce(&Path) -> Result<()>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Arc<Node>, Receiver<Event>)> {
    prepare_process();
    let store = &options.store;
    let places = Places::read(store)?;
    let mountpoint = Mountpoint::of_first(options.mount.as_deref(), places.get(VolumeId::FIRST))?;
    preflight::check(store, &mountpoint)?;
    let (sender, events) = mpsc::channel();
    signals::forward(sender.clone())?;
    let runtime = options.read_only.then(|| Runtime::make(store)).transpose()?;
    let (home, pool) = match &runtime {
        Some(runtime) => (runtime.path(), open_read_only(store, runtime, opened, progress)?),
        None => (store.as_path(), open_pool(store, opened)?),
    };
    let (listener, socket) = control::listen(home).with_context(|| format!("cannot listen in {}", home.display()))?;
    let node = Arc::new(Node {
        store: store.clone(),
        _socket: socket,
        pool,
        scrubber: Arc::new(Scrubber::of(store, home)),
        _runtime: runtime,
        read_only: options.read_only,
        mounts: Mounts::default(),
        places: Mutex::new(places),
        unmounted: Mutex::new(BTreeMap::new()),
        operation: Mutex::new(()),
        mirrors: Mirrors::default(),
        mirror_schedule: Arc::new(MirrorSchedule::of(store)),
        snapshot_alarm: Arc::default(),
        events: sender,
        started: Instant::now(),
    });
    turn_uring_on();
    node.mount_all(&mountpoint)?;
    server::start(&node, listener)?;
    Scrubber::start(&node)?;
    if !node.read_only {
        schedule::start(&node)?;
        MirrorSchedule::start(&node)?;
    }
    Ok((node, events))
}

/// Files are for this user only; many of them may be open.
fn prepare_process() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays");
    }
}

fn open_pool(path: &Path, opened: impl FnOnce(&Path) -> Result<()>) -> Result<Pool> {
    inspection::refuse_damaged(path)?;
    let store = Store::open_directory(path, StoreOptions::default(), OpenMode::Create);
    let store = Arc::new(store.map_err(|error| cannot_open(path, error))?);
    opened(path)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store = %path.display(), "starting");
    let pool = Pool::open(store, pool_options()).with_context(|| cannot_open_pool(path))?;
    inspection::refuse_damages(path, &pool)?;
    Ok(pool)
}

/// A pool of which nothing changes.
fn open_read_only(
    path: &Path,
    runtime: &Runtime,
    opened: impl FnOnce(&Path) -> Result<()>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Pool> {
    let store = Store::open_directory_read_only(path, &runtime.index(), StoreOptions::default(), progress);
    let store = Arc::new(store.map_err(|error| cannot_open(path, error))?);
    opened(runtime.path())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store = %path.display(), "starting, to read only");
    Pool::open_as_it_is(store, pool_options()).with_context(|| cannot_open_pool(path))
}

fn pool_options() -> PoolOptions {
    PoolOptions { on_rest: Box::new(memory::give_back), ..PoolOptions::new(owner()) }
}

fn cannot_open_pool(path: &Path) -> String {
    format!("cannot open the pool in {}", path.display())
}

/// Many of the store's errors name it themselves.
pub(super) fn cannot_open(path: &Path, error: block::Error) -> anyhow::Error {
    let path = path.display().to_string();
    let is_named = error.to_string().contains(&path);
    anyhow::Error::new(error).context(match is_named {
        true => "cannot open the store".to_owned(),
        false => format!("cannot open the store {path}"),
    })
}

/// Who owns the top directory of a new volume.
pub(crate) fn owner() -> Creator {
    Creator { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

fn turn_uring_on() {
    if !defaults::is_root() {
        return;
    }
    if let Err(error) = fuse::uring::enable() {
        tracing::warn!(%error, "FUSE over io_uring cannot be turned on; mounts use /dev/fuse");
    }
}

impl Node {
    /// What to tell the user now that it is up.
    pub(super) fn announcement(&self) -> Announcement {
        let status = self.status();
        let mounts = status.mounts.iter();
        let lines = mounts.map(|mount| format!("{} is mounted at {}", mount.volume, mount.mountpoint.display()));
        Announcement::Ready { lines: lines.chain(self.locked_lines()).collect(), warnings: status.problems }
    }
}
