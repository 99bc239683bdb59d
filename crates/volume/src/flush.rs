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
    /// There is something to store, or the end.
    changed: Condvar,
    /// Somebody settles, or has settled.
    settled: Condvar,
}

/// A dirty block, and where it is going to lie.
type Waiting = (Weak<DirtyBlock>, Arc<dyn Blocks>);

#[derive(Default)]
struct QueueState {
    /// Its length is bounded by the budget of dirty bytes: only full blocks come here. A block that nobody refers to any more is
    /// not worth storing.
    blocks: VecDeque<Waiting>,
    /// How many threads store a block just now.
    storing: usize,
    /// Somebody waits for these, and no other begins.
    is_settling: bool,
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

    /// Waits for what is being stored just now: of blocks that nobody refers to any more none is stored from then on.
    pub(crate) fn settle(&self) {
        let mut state = self.queue.state.lock();
        while state.is_settling {
            self.queue.settled.wait(&mut state);
        }
        state.is_settling = true;
        while state.storing > 0 {
            self.queue.settled.wait(&mut state);
        }
        state.is_settling = false;
        drop(state);
        self.queue.settled.notify_all();
        self.queue.changed.notify_all();
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
            if let Some(block) = block.upgrade()
                && let Err(error) = block.store(&*blocks)
            {
                tracing::debug!(%error, "storing ahead failed");
            }
            let mut state = self.state.lock();
            state.storing -= 1;
            if state.is_settling {
                self.settled.notify_all();
            }
        }
    }

    fn next(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        loop {
            if state.is_closing {
                return None;
            }
            if !state.is_settling
                && let Some(block) = state.blocks.pop_front()
            {
                state.storing += 1;
                return Some(block);
            }
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty_block::Budget;
    use block::{Block, Name, Result};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Puts a block when it is told to.
    struct Slow {
        begun: Sender<()>,
        go_on: Mutex<Receiver<()>>,
        is_stored: AtomicBool,
    }

    impl Blocks for Slow {
        fn get(&self, _: &Name) -> Result<Block> {
            unreachable!("nobody reads")
        }

        fn put(&self, block: &Block) -> Result<Name> {
            self.begun.send(()).unwrap();
            self.go_on.lock().recv().unwrap();
            self.is_stored.store(true, Ordering::SeqCst);
            Ok(block.name())
        }

        fn contains(&self, _: &Name) -> Result<bool> {
            Ok(false)
        }

        fn sync(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_settles_waits_for_the_block_that_is_being_stored() {
        let ((begun, has_begun), (go, go_on)) = (channel(), channel());
        let slow = Arc::new(Slow { begun, go_on: Mutex::new(go_on), is_stored: AtomicBool::new(false) });
        let flusher = Flusher::start().unwrap();
        let blocks: Arc<dyn Blocks> = slow.clone();
        let block = DirtyBlock::new(0, vec![7; 100], &Arc::<Budget>::default());
        flusher.push(&block, &blocks);
        has_begun.recv().unwrap();
        // Nobody refers to it any more, and yet it is going to be stored.
        drop(block);
        std::thread::scope(|scope| {
            let settling = scope.spawn(|| {
                flusher.settle();
                slow.is_stored.load(Ordering::SeqCst)
            });
            while !flusher.queue.state.lock().is_settling && !settling.is_finished() {
                std::thread::yield_now();
            }
            go.send(()).unwrap();
            assert!(settling.join().unwrap());
        });
        assert!(!flusher.queue.state.lock().is_settling);
    }
}
