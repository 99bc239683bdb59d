//! Syncs with others that are under way: connections that speak the mirror protocol, each with a thread of its own.

use super::Node;
use super::serving::Serving;
use crate::control::{self, Response};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use volume::VolumeId;

/// The connections.
#[derive(Default)]
pub(super) struct Mirrors {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, UnixStream>>,
}

impl Mirrors {
    /// Ends all of them, since the node ends: what they brought stays, and the next sync goes on from there.
    pub(super) fn cut_off(&self) {
        for stream in self.open.lock().values() {
            // One that has ended already is as well.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Answers on a connection until the other side ends it.
pub(super) fn start(node: &Arc<Node>, stream: &UnixStream) -> io::Result<()> {
    let (reader, writer) = (stream.try_clone()?, stream.try_clone()?);
    let number = node.mirrors.next.fetch_add(1, Ordering::Relaxed);
    node.mirrors.open.lock().insert(number, stream.try_clone()?);
    control::write(stream, &Response::Done(Vec::new()))?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    let node = node.clone();
    let serve = move || {
        if let Err(error) = mirror::serve(Box::new(reader), Box::new(writer), &node.pool) {
            tracing::warn!(%error, "a sync ended early");
        }
        node.mirrors.open.lock().remove(&number);
        node.mount_new_replicas();
    };
    thread::Builder::new().name(format!("mirror-{number}")).spawn(serve).map(drop)
}

impl Node {
    /// Mounts again what has become a replica while it was mounted, and what is new.
    fn mount_new_replicas(&self) {
        let is_stale = |(id, serving): &(VolumeId, Arc<Serving>)| {
            let volume = self.pool.volume(*id);
            volume.is_some_and(|volume| volume.is_replica() && !serving.follows())
        };
        let stale: Vec<_> = self.mounts.inner_first().into_iter().filter(is_stale).collect();
        for mounted in &stale {
            let _operation = self.operation.lock();
            if let Err(error) = self.unmount(mounted) {
                let place = mounted.1.mountpoint().display();
                tracing::warn!(
                    "{place} shows what was there before it became a replica: {error:#}; unmount it when it is free"
                );
            }
        }
        if let Err(error) = self.mount_missing() {
            tracing::error!("{error:#}");
        }
    }
}
