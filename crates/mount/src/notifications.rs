//! What the kernel is told without having asked, from a thread of its own: a request handler that waited for it could wait for ever
//! ([`fuse::Notifier`]).

use fuse::{Notification, Notifier, NotifierQueue, QueueFull};
use std::sync::OnceLock;

/// Notifications that may wait.
const NOTIFICATIONS_MAX: usize = 4096;

/// The way to the kernel. Before the mount serves, everything is told to nobody: the kernel knows nothing yet.
#[derive(Default)]
pub(crate) struct Notifications {
    queue: OnceLock<NotifierQueue>,
}

impl Notifications {
    /// Tells the kernel from now on.
    pub(crate) fn begin(&self, notifier: Notifier) -> std::io::Result<()> {
        let queue = NotifierQueue::new(notifier, NOTIFICATIONS_MAX)?;
        self.queue.set(queue).map_err(|_| std::io::ErrorKind::AlreadyExists.into())
    }

    /// Returns when the kernel has taken notice. Never from a request handler.
    pub(crate) fn tell(&self, notifications: impl IntoIterator<Item = Notification>) {
        let Some(queue) = self.queue.get() else { return };
        for mut notification in notifications {
            while let Err(QueueFull(back)) = queue.push(notification) {
                queue.flush();
                notification = back;
            }
        }
        queue.flush();
    }

    /// Tells it soon, in order, as far as there is room for what waits. A request handler may do so.
    pub(crate) fn offer(&self, notifications: impl IntoIterator<Item = Notification>) {
        let Some(queue) = self.queue.get() else { return };
        for notification in notifications {
            if let Err(QueueFull(left)) = queue.push(notification) {
                tracing::debug!(?left, "the kernel is not told: too much waits");
                return;
            }
        }
    }
}
