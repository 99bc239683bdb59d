//! Taking the node down.
//!
//! Without force it is all or nothing: what is in use is looked for first; if an unmount fails all the same, what was unmounted
//! before it is mounted again.

use super::serving::Serving;
use super::{Node, holders, inner_mounts};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use volume::VolumeId;

/// How long a mount that is gone may take to end; one that somebody still has open does not.
pub(super) const END_TIME_MAX: Duration = Duration::from_secs(5);

/// How long the kernel may take to hand over what it has cached of a mount that will be detached.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(20);

/// How long requests under way may take before the node ends without their answers.
const REQUESTS_TIME_MAX: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

type Mounted = (VolumeId, Arc<Serving>);

impl Node {
    /// Checkpoints and unmounts, if nothing is in use.
    pub(super) fn take_down(&self) -> Result<()> {
        let _operation = self.operation.lock();
        let mounts = self.mounts.inner_first();
        refuse_if_used(
            "take the pool down",
            &mountpoints(&mounts),
            "or detach the mounts with `pantala down --force`",
        )?;
        self.checkpoint()?;
        self.unmount_all(&mounts)?;
        // Unmounting brought what the kernel still had.
        self.checkpoint().inspect_err(|_| self.bring_back(&mounts))
    }

    /// Checkpoints and unmounts, or detaches what is in use. The node is to end whatever this returns: an error says what is
    /// lost.
    pub(super) fn take_down_by_force(&self) -> Result<()> {
        let _operation = self.operation.lock();
        for (volume, serving) in self.mounts.inner_first() {
            self.mounts.remove(volume);
            leave(&serving);
        }
        let checkpoint = self.checkpoint();
        checkpoint.context("the node is stopped, but what was not synced before is lost")
    }

    /// As by force; the log tells what is lost.
    pub(super) fn take_down_whatever_happens(&self) {
        if let Err(error) = self.take_down_by_force() {
            tracing::error!("{}", crate::failure::line(&error));
        }
    }

    fn checkpoint(&self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        self.pool.checkpoint().context("cannot make a checkpoint")
    }

    fn unmount_all(&self, mounts: &[Mounted]) -> Result<()> {
        for (index, mounted) in mounts.iter().enumerate() {
            if let Err(error) = self.unmount(mounted) {
                self.bring_back(&mounts[..index]);
                return Err(error).context("cannot take the pool down");
            }
        }
        Ok(())
    }

    /// Unmounts a volume, and waits until nothing serves it any more.
    pub(super) fn unmount(&self, (volume, serving): &Mounted) -> Result<()> {
        self.mounts.remove(*volume);
        if let Err(error) = serving.unmount() {
            self.mounts.add(*volume, serving.clone());
            return Err(error);
        }
        if !serving.wait_ended(END_TIME_MAX) {
            tracing::warn!(mountpoint = %serving.mountpoint().display(), "the mount is still there in another namespace");
        }
        Ok(())
    }

    /// Mounts again what was unmounted, the outer ones first.
    fn bring_back(&self, mounts: &[Mounted]) {
        let names = self.pool.list_volumes().unwrap_or_default();
        for (volume, serving) in mounts.iter().rev() {
            let name = names.iter().find(|info| info.id == *volume).map_or("?", |info| &info.name);
            if let Err(error) = self.serve_at(*volume, name, serving.mountpoint()) {
                let why = crate::failure::line(&error);
                tracing::error!("{why}");
                self.unmounted.lock().insert(*volume, why);
            }
        }
    }
}

fn mountpoints(mounts: &[Mounted]) -> Vec<&Path> {
    mounts.iter().map(|(_, serving)| serving.mountpoint()).collect()
}

/// Fails if processes use a mount, or something is mounted in it, and names them. `otherwise` is what else can be done than
/// ending them.
pub(super) fn refuse_if_used(what: &str, mountpoints: &[&Path], otherwise: &str) -> Result<()> {
    if let Some(inner) = inner_mounts::find(mountpoints).first() {
        bail!("cannot {what}: something is mounted at {}; unmount it, {otherwise}", inner.display());
    }
    match holders::find(mountpoints).as_slice() {
        [] => Ok(()),
        found => bail!("cannot {what}: in use by {}; end these, {otherwise}", holders::describe(found)),
    }
}

/// Unmounts or detaches a mount, after the kernel handed over what it has cached.
fn leave(serving: &Arc<Serving>) {
    flush(serving.mountpoint());
    if serving.unmount().is_err()
        && let Err(error) = serving.detach()
    {
        tracing::error!("{error:#}");
    }
    serving.wait_ended(Duration::ZERO);
}

/// Has the kernel write back, for a while: a file system that hangs must not keep the node from its end.
fn flush(mountpoint: &Path) {
    let (sender, done) = mpsc::channel();
    let path = mountpoint.to_owned();
    thread::spawn(move || {
        let synced = File::open(path).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
        sender.send(synced)
    });
    match done.recv_timeout(FLUSH_TIME_MAX) {
        Ok(Ok(())) => {}
        failed => {
            tracing::warn!(?failed, mountpoint = %mountpoint.display(), "the kernel may not have written all back")
        }
    }
}

/// Waits until nobody but the caller holds the node.
pub(super) fn wait_for_requests(node: &Arc<Node>) {
    let started = Instant::now();
    while Arc::strong_count(node) > 1 && started.elapsed() < REQUESTS_TIME_MAX {
        thread::sleep(POLL_INTERVAL);
    }
}
