//! Notifications sent by a thread of their own.

use crate::{Errno, Notifier};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Something to tell the kernel; see the methods of [`Notifier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// [`Notifier::invalidate_inode`]
    InvalidateInode {
        /// The inode.
        node: u64,
        /// First byte; negative: attributes only.
        offset: i64,
        /// Bytes; 0: to the end.
        length: i64,
    },
    /// [`Notifier::invalidate_entry`]
    InvalidateEntry {
        /// The directory.
        parent: u64,
        /// The name in it.
        name: Box<[u8]>,
    },
    /// [`Notifier::expire_entry`]
    ExpireEntry {
        /// The directory.
        parent: u64,
        /// The name in it.
        name: Box<[u8]>,
    },
    /// [`Notifier::delete`]
    Delete {
        /// The directory.
        parent: u64,
        /// What the name led to.
        child: u64,
        /// The name.
        name: Box<[u8]>,
    },
    /// [`Notifier::increment_epoch`]
    IncrementEpoch,
    /// [`Notifier::prune`]
    Prune {
        /// The inodes.
        nodes: Box<[u64]>,
    },
}

impl Notification {
    fn send(&self, notifier: &Notifier) -> Result<(), Errno> {
        match self {
            Self::InvalidateInode { node, offset, length } => notifier.invalidate_inode(*node, *offset, *length),
            Self::InvalidateEntry { parent, name } => notifier.invalidate_entry(*parent, name),
            Self::ExpireEntry { parent, name } => notifier.expire_entry(*parent, name),
            Self::Delete { parent, child, name } => notifier.delete(*parent, *child, name),
            Self::IncrementEpoch => notifier.increment_epoch(),
            Self::Prune { nodes } => notifier.prune(nodes),
        }
    }
}

/// The queue is full, or was closed; the notification comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of notifications is full")]
pub struct QueueFull(pub Notification);

/// Sends notifications in order, from a thread of its own, so that request handlers may cause them.
///
/// Pushing never blocks and takes no lock but the queue's. The queue is bounded: [`push`](Self::push) gives back what does
/// not fit, and the caller decides (an [`IncrementEpoch`](Notification::IncrementEpoch) later makes up for lost entries).
/// Dropping the queue sends what is left and waits for the thread.
#[derive(Debug)]
pub struct NotifierQueue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Notification>,
    /// How many were ever pushed.
    pushed: u64,
    /// How many were ever sent.
    sent: u64,
    closed: bool,
}

impl NotifierQueue {
    /// A queue of up to `capacity` notifications, with its thread.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn new(notifier: Notifier, capacity: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::default(), capacity });
        let sender = shared.clone();
        let thread = thread::Builder::new().name("fuse-notify".into()).spawn(move || sender.run(&notifier))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Queues a notification. May be called from a request handler.
    ///
    /// # Errors
    ///
    /// Gives the notification back when the queue is full.
    pub fn push(&self, notification: Notification) -> Result<(), QueueFull> {
        let mut state = self.shared.state.lock();
        if state.queue.len() >= self.shared.capacity {
            return Err(QueueFull(notification));
        }
        state.queue.push_back(notification);
        state.pushed += 1;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until everything pushed so far was sent. Like sending itself, never from a request handler.
    pub fn flush(&self) {
        let mut state = self.shared.state.lock();
        let target = state.pushed;
        while state.sent < target {
            self.shared.changed.wait(&mut state);
        }
    }
}

impl Shared {
    fn run(&self, notifier: &Notifier) {
        while let Some(notification) = self.next() {
            if let Err(error) = notification.send(notifier) {
                tracing::debug!(?notification, %error, "the kernel refused a notification");
            }
            self.state.lock().sent += 1;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<Notification> {
        let mut state = self.state.lock();
        while state.queue.is_empty() && !state.closed {
            self.changed.wait(&mut state);
        }
        state.queue.pop_front()
    }
}

impl Drop for NotifierQueue {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that sends notifications panicked");
        }
    }
}
