//! The node daemon: one process per store, which holds the store, the pool and the mounts.
//!
//! Threads: the main thread waits for [`events::Event`]s; a few threads answer the control socket ([`server`]); one per mount
//! waits for its end; one waits for signals. Requests for files have threads of their own, in the crate `fuse`.
//!
//! Invariants:
//!
//! - What changes the set of mounts or volumes holds [`Node::operation`], one at a time. A status never waits for it.
//! - A mount that is in [`mounts::Mounts`] is one that the node means to serve: when such a mount ends, somebody unmounted it
//!   from outside. The first volume's end is the node's end.
//! - The node ends by returning from [`Node::serve`]: then mounts, pool and store are dropped. A panic of the main thread, or a
//!   start that fails half-way, drops them as well, so neither leaves a dead mount.

mod alarm;
pub(crate) mod announcement;
pub(crate) mod daemon;
mod erase;
mod events;
mod foreground;
mod garbage;
mod holders;
mod inner_mounts;
mod inspection;
mod keys;
mod log;
mod mirror_schedule;
mod mirrors;
mod mounting;
pub(crate) mod mountpoint;
mod mounts;
mod past;
pub(crate) mod places;
mod preflight;
mod report;
mod schedule;
mod scrubber;
mod server;
mod serving;
mod signals;
pub(crate) mod source;
mod space;
mod start;
mod stop;
mod volumes;

use crate::control::SocketFile;
use crate::runtime::Runtime;
use alarm::Alarm;
use events::Event;
use mirror_schedule::MirrorSchedule;
use mirrors::Mirrors;
use mounts::Mounts;
use parking_lot::Mutex;
use places::Places;
use scrubber::Scrubber;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;
use volume::{Pool, VolumeId};

pub(crate) use foreground::run as run_in_foreground;
pub(crate) use start::owner;

/// What a node is started with; the paths are absolute.
pub(crate) struct Options {
    pub(crate) store: PathBuf,
    /// Where to mount the first volume, if the user said so.
    pub(crate) mount: Option<PathBuf>,
    /// Whether nothing may change: no mount, and not a byte of the store.
    pub(crate) read_only: bool,
}

/// A node that is up.
pub(crate) struct Node {
    store: PathBuf,
    /// Before the pool, so that it is gone before another process can have the store.
    _socket: SocketFile,
    pool: Pool,
    /// What it has beside a store in which it writes nothing. Behind the pool, which has its index there.
    _runtime: Option<Runtime>,
    read_only: bool,
    mounts: Mounts,
    /// Where volumes are to be mounted, where that is not the default.
    places: Mutex<Places>,
    /// Why a volume is not mounted.
    unmounted: Mutex<BTreeMap<VolumeId, String>>,
    operation: Mutex<()>,
    /// Syncs with others that are under way.
    mirrors: Mirrors,
    mirror_schedule: Arc<MirrorSchedule>,
    scrubber: Arc<Scrubber>,
    snapshot_alarm: Arc<Alarm>,
    events: Sender<Event>,
    started: Instant,
}

impl Node {
    /// Serves until the node is to end, and ends it.
    fn serve(self: Arc<Self>, events: &Receiver<Event>) {
        for event in events {
            match event {
                Event::Stop => break,
                Event::Signal(signal) => {
                    tracing::info!(signal, "told to end");
                    self.take_down_whatever_happens();
                    break;
                }
                Event::Ended { volume, mount } => {
                    if self.mount_ended(volume, &mount) {
                        self.take_down_whatever_happens();
                        break;
                    }
                }
            }
        }
        end(self);
    }
}

impl Drop for Node {
    /// Whatever ends the node, a failed start or a panic too: no dead mount stays behind.
    fn drop(&mut self) {
        for (_, serving) in self.mounts.inner_first() {
            if let Err(error) = serving.detach() {
                tracing::error!("{error:#}");
            }
        }
    }
}

/// Drops the node, once the requests under way are answered.
fn end(node: Arc<Node>) {
    node.mirrors.cut_off();
    node.mirror_schedule.end();
    node.scrubber.end();
    node.snapshot_alarm.stop();
    node.snapshot_alarm.join();
    stop::wait_for_requests(&node);
    drop(node);
    tracing::info!("ended");
}
