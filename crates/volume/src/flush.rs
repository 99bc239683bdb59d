//! Threads that make blocks of full dirty blocks ahead of any sync, so that hashing and compressing happen beside the requests.

use crate::dirty_block::DirtyBlock;
use crate::limits::FLUSH_THREADS;
use block::Blocks;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

/// A queue of dirty blocks and the threads that store them.
pub(crate) struct Flusher {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

/// A dirty block, and where it is going to lie.
type Waiting = (Weak<DirtyBlock>, Arc<dyn Blocks>);

#[derive(Default)]
struct QueueState {
    /// Its length is bounded by the budget of dirty bytes: only full blocks come here. A block that nobody refers to any more is
    /// not worth storing.
    blocks: VecDeque<Waiting>,
    is_closing: bool,
}

impl Flusher {
    /// Starts the threads.
    pub(crate) fn start() -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let start = |number| {
            let queue = queue.clone();
            std::thread::Builder::new().name(format!("flush-{number}")).spawn(move || queue.serve())
        };
        let threads = (0..FLUSH_THREADS).map(start).collect::<Result<_, _>>()?;
        Ok(Self { queue, threads })
    }

    /// Stores a block soon. If that fails, the commit that needs the block meets the same failure and reports it.
    pub(crate) fn push(&self, block: &Arc<DirtyBlock>, blocks: &Arc<dyn Blocks>) {
        self.queue.state.lock().blocks.push_back((Arc::downgrade(block), blocks.clone()));
        self.queue.changed.notify_one();
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.queue.state.lock().is_closing = true;
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a flush thread panicked");
            }
        }
    }
}

impl Queue {
    fn serve(&self) {
        while let Some((block, blocks)) = self.next() {
            let Some(block) = block.upgrade() else { continue };
            if let Err(error) = block.store(&*blocks) {
                tracing::debug!(%error, "storing ahead failed");
            }
        }
    }

    fn next(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        loop {
            if state.is_closing {
                return None;
            }
            if let Some(block) = state.blocks.pop_front() {
                return Some(block);
            }
            self.changed.wait(&mut state);
        }
    }
}
