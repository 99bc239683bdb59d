//! Syncs are shared, and reads and writes go on meanwhile.

use crate::gate::{Gate, GatedDisk};
use crate::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const THREADS: usize = 8;

fn gated_store() -> (Store, SimDisk, Arc<Gate>) {
    let (disk, gate) = (SimDisk::new(), Arc::new(Gate::default()));
    let gated = GatedDisk { disk: disk.clone(), gate: gate.clone() };
    let store = Store::create(Arc::new(gated), Box::new(MemoryIndex::default()), options()).unwrap();
    (store, disk, gate)
}

#[test]
fn callers_that_wait_for_one_sync_share_the_next() {
    let (store, disk, gate) = gated_store();
    gate.close();
    let before = disk.syncs();
    let calling = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            fill(&store, 0, 1);
            store.sync().unwrap();
        });
        gate.await_arrival();
        for seed in 1..THREADS as u64 {
            let (store, calling) = (&store, &calling);
            scope.spawn(move || {
                fill(store, seed, 1);
                calling.fetch_add(1, Ordering::SeqCst);
                store.sync().unwrap();
            });
        }
        while calling.load(Ordering::SeqCst) < THREADS - 1 {
            thread::yield_now();
        }
        // The callers are between their count and their wait; one that is late costs a round, not the test.
        thread::sleep(Duration::from_millis(100));
        gate.open();
    });
    let syncs = disk.syncs() - before;
    assert!(syncs <= THREADS as u64 / 2, "{THREADS} callers made {syncs} syncs");
}

#[test]
fn puts_and_reads_go_on_while_a_sync_runs() {
    let (store, _, gate) = gated_store();
    fill(&store, 1, 1);
    gate.close();
    thread::scope(|scope| {
        scope.spawn(|| store.sync().unwrap());
        gate.await_arrival();
        let blocks = fill(&store, 2, 50);
        assert_holds(&store, &blocks);
        gate.open();
    });
}

#[test]
fn a_sync_waits_for_frames_below_it_that_others_still_write() {
    let (store, disk, gate) = gated_store();
    gate.hold_next_write();
    let before = disk.syncs();
    thread::scope(|scope| {
        let slow = scope.spawn(|| fill(&store, 1, 1));
        gate.await_arrival();
        fill(&store, 2, 1);
        let sync = scope.spawn(|| store.sync().unwrap());
        thread::sleep(Duration::from_millis(50));
        assert_eq!(disk.syncs(), before, "nothing is synced before the slow frame is written");
        gate.open();
        slow.join().unwrap();
        sync.join().unwrap();
    });
    assert_eq!(disk.syncs(), before + 1);
}

#[test]
fn threads_that_put_sync_and_flush_at_once_lose_nothing_in_a_crash() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let start = Barrier::new(THREADS);
    let blocks: Vec<_> = thread::scope(|scope| {
        let work = |seed| {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                let mut blocks = Vec::new();
                for round in 0..20 {
                    blocks.extend(fill(store, seed * 1000 + round, 3));
                    store.append(&intent(seed, "a step")).unwrap();
                    store.sync().unwrap();
                    store.flush_index().unwrap();
                }
                blocks
            })
        };
        let threads: Vec<_> = (0..THREADS as u64).map(work).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_holds(&store, &blocks);
    for seed in 0..4 {
        assert_holds(&open(&disk.crash(seed), &index.snapshot()).unwrap(), &blocks);
        assert_holds(&open(&disk.crash(seed), &MemoryIndex::default()).unwrap(), &blocks);
    }
}
