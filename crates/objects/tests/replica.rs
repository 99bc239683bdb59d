//! Replicas in an object store in memory, beside volumes on simulated disks.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../../mirror/tests/sync/world.rs"]
#[allow(dead_code, reason = "the tests of `mirror` use the rest of it")]
mod world;

use bytes::Bytes;
use mirror::{
    LocalReplica, LocalSource, ReplicaMode, ReplicaVolume, SourceVolume, SyncOptions, Synced, Target, Verifiable, sync,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use objects::{Bucket, ObjectPlace};
use sim::Random;
use std::collections::BTreeSet;
use std::sync::Arc;
use volume::{Inode, NewInode, Role};
use world::{CREATE, Clock, OWNER, Place, assert_same, edit};

/// An object store, and the replicas in it.
struct Objects {
    memory: Arc<InMemory>,
    place: ObjectPlace,
}

impl Objects {
    fn new() -> Self {
        let memory = Arc::new(InMemory::new());
        let bucket = Bucket::of(memory.clone(), "memory", "prefix").unwrap();
        Self { memory, place: ObjectPlace::new(bucket) }
    }

    fn keys(&self, containing: &str) -> Vec<Path> {
        let listed = block_on(self.memory.list_with_delimiter(None)).unwrap();
        let mut waiting = listed.common_prefixes;
        let mut keys = Vec::new();
        while let Some(prefix) = waiting.pop() {
            let listed = block_on(self.memory.list_with_delimiter(Some(&prefix))).unwrap();
            waiting.extend(listed.common_prefixes);
            keys.extend(listed.objects.into_iter().map(|object| object.location));
        }
        keys.retain(|key| key.as_ref().contains(containing));
        keys.sort();
        keys
    }

    fn bytes(&self, key: &Path) -> Vec<u8> {
        block_on(async { self.memory.get(key).await.unwrap().bytes().await.unwrap() }).to_vec()
    }

    fn put(&self, key: &Path, bytes: Vec<u8>) {
        block_on(self.memory.put(key, Bytes::from(bytes).into())).unwrap();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn push(from: &Place, to: &Objects, mode: ReplicaMode) -> mirror::Result<Synced> {
    let source = LocalSource::open(&from.pool, "main")?;
    let replica = to.place.replica(source.origin(), mode)?;
    sync(&source, &replica, &SyncOptions::default())
}

fn pull(from: &Objects, to: &Place) -> Synced {
    let source = from.place.source("main").unwrap();
    let origin = source.origin();
    let replica = LocalReplica::open(&to.pool, origin.identity, "main", &origin.state, CREATE).unwrap();
    sync(&source, &replica, &SyncOptions::default()).unwrap()
}

/// A place with a volume in which something is, and one to restore to.
fn places() -> (Arc<Clock>, Place) {
    let clock = Arc::new(Clock::default());
    let place = Place::new(1, &clock, true);
    edits(&place, 1, 60);
    (clock, place)
}

fn edits(place: &Place, seed: u64, count: usize) {
    let (volume, mut random) = (place.volume(), Random::new(seed));
    (0..count).for_each(|_| edit(&volume, &mut random));
    volume.checkpoint().unwrap();
}

/// A file with bytes that nothing else has.
fn write_file(place: &Place, name: &str, bytes: usize, seed: u64) {
    let volume = place.volume();
    let mut random = Random::new(seed);
    let content: Vec<u8> = (0..bytes).map(|_| random.below(256) as u8).collect();
    let inode = match volume.lookup(Inode::ROOT, name.as_bytes()) {
        Ok((inode, _)) => inode,
        Err(_) => volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o644, OWNER).unwrap().0,
    };
    volume.write(inode, 0, &content, volume::Privileges::default()).unwrap();
}

#[test]
fn a_volume_goes_to_an_object_store_and_a_new_store_gets_it_back() {
    let (clock, place) = places();
    place.volume().create_snapshot("before", false).unwrap();
    let objects = Objects::new();
    assert!(push(&place, &objects, ReplicaMode::default()).is_err(), "nobody has made a replica");
    push(&place, &objects, CREATE).unwrap();
    edits(&place, 2, 30);
    let second = push(&place, &objects, ReplicaMode::default()).unwrap();
    assert!(second.sent.blocks > 0 && !second.is_unchanged);
    assert!(push(&place, &objects, ReplicaMode::default()).unwrap().is_unchanged);
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
    let snapshots = restored.volume().snapshots().unwrap().map(Result::unwrap);
    assert_eq!(snapshots.map(|snapshot| snapshot.name).collect::<Vec<_>>(), ["before"]);
}

#[test]
fn what_a_replica_keeps_of_the_past_is_its_own_and_can_be_set() {
    let (_, place) = places();
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    let kept_after = |retention: &str| {
        objects.place.set_retention("main", retention).unwrap();
        for round in 0..3 {
            write_file(&place, "file", 5000, round);
            place.volume().checkpoint().unwrap();
            push(&place, &objects, ReplicaMode::default()).unwrap();
        }
        objects.place.source("main").unwrap().origin().kept.len()
    };
    let few = kept_after("none");
    assert!(kept_after("forever:all") >= few + 2);
    assert_eq!(kept_after("none"), few, "what is not kept any more goes with a later sync");
    let refused = objects.place.set_retention("main", "often").unwrap_err();
    assert!(refused.to_string().contains("is no retention"), "{refused}");
    assert!(objects.place.set_retention("other", "none").is_err());
}

#[test]
fn many_syncs_leave_few_objects_beside_the_packs() {
    let (clock, place) = places();
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    for seed in 0..40 {
        edits(&place, 100 + seed, 10);
        push(&place, &objects, ReplicaMode::default()).unwrap();
    }
    assert!(objects.keys("/manifests/").len() <= 3, "{:?}", objects.keys("/manifests/"));
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
}

#[test]
fn a_sync_that_is_cut_anywhere_is_gone_on_with() {
    let (clock, place) = places();
    for file in 0..4 {
        write_file(&place, &format!("large{file}"), 3 << 20, file);
    }
    place.volume().checkpoint().unwrap();
    let whole = {
        let objects = Objects::new();
        push(&place, &objects, CREATE).unwrap().sent.bytes
    };
    for cut_at in [1, 100, 1_000_000, whole / 2, whole - 1] {
        let objects = Objects::new();
        push_until(&place, &objects, cut_at);
        let listed = objects.place.list().unwrap().remove(0);
        assert_eq!(listed.state.tree(), None, "readers see the state before");
        let rest = push(&place, &objects, ReplicaMode::default()).unwrap().sent.bytes;
        assert!(rest <= whole - cut_at.min(whole) + (4 << 20) + (1 << 20), "cut at {cut_at} of {whole}: {rest}");
        let restored = Place::new(2, &clock, false);
        pull(&objects, &restored);
        assert_same(&place, &restored);
    }
}

/// A sync whose target takes so many bytes and then is gone, as a process that is killed: what it had drafted is lost.
fn push_until(from: &Place, to: &Objects, bytes_max: u64) {
    struct Cut<'a> {
        replica: &'a dyn ReplicaVolume,
        left: std::sync::atomic::AtomicI64,
    }
    impl Target for Cut<'_> {
        fn lacking(&self, names: &[block::Name]) -> mirror::Result<Vec<block::Name>> {
            self.replica.lacking(names)
        }
        fn put(&self, block: &block::PackedBlock) -> mirror::Result<bool> {
            let bytes = block.encoded_bytes() as i64;
            if self.left.fetch_sub(bytes, std::sync::atomic::Ordering::Relaxed) < bytes {
                return Err(mirror::Error::Link { why: "cut".to_owned() });
            }
            self.replica.put(block)
        }
    }
    let source = LocalSource::open(&from.pool, "main").unwrap();
    let replica = to.place.replica(source.origin(), CREATE).unwrap();
    let cut = Cut { replica: &replica, left: (bytes_max as i64).into() };
    let roots = source.origin().state.tree().into_iter().collect();
    let cut = mirror::transfer(&source, &cut, roots, &mirror::TransferOptions::default());
    assert!(matches!(cut, Err(mirror::Error::Link { .. })));
    // As a kill does it: nothing that was drafted arrives.
    std::mem::forget(replica);
}

#[test]
fn of_two_syncs_at_once_one_wins_and_the_other_is_told() {
    let (clock, place) = places();
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    edits(&place, 7, 20);
    let source = LocalSource::open(&place.pool, "main").unwrap();
    let slow = objects.place.replica(source.origin(), ReplicaMode::default()).unwrap();
    push(&place, &objects, ReplicaMode::default()).unwrap();
    let lost = sync(&source, &slow, &SyncOptions::default()).unwrap_err();
    assert!(matches!(lost, mirror::Error::Busy { .. }), "{lost}");
    drop(slow);
    assert!(push(&place, &objects, ReplicaMode::default()).unwrap().is_unchanged);
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
}

#[test]
fn a_prune_takes_what_nothing_needs_and_leaves_the_rest_whole() {
    let (clock, place) = places();
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    for round in 0..6 {
        // Each content takes the place of the one before; history keeps only the last of an hour.
        (0..6).for_each(|file| write_file(&place, &format!("large{file}"), 1 << 20, 1000 * round + file));
        place.volume().checkpoint().unwrap();
        push(&place, &objects, ReplicaMode::default()).unwrap();
    }
    objects.place.prune("main").unwrap();
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
    edits(&place, 9, 30);
    push(&place, &objects, ReplicaMode::default()).unwrap();
    let restored = Place::new(3, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
    let verifiable = objects.place.verifiable();
    assert_eq!(verifiable.verify().unwrap(), []);
}

#[test]
fn a_damaged_pack_is_noticed_and_healed_from_the_source() {
    let (clock, place) = places();
    write_file(&place, "large", 1 << 20, 5);
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    for key in objects.keys("/packs/") {
        let mut bytes = objects.bytes(&key);
        let length = bytes.len();
        bytes[length / 2] ^= 1;
        bytes[length - 20] ^= 1;
        objects.put(&key, bytes);
    }
    let (source, replica) = (mirror::LocalVerifiable::new(&place.pool), objects.place.verifiable());
    let (of_source, of_replica) = mirror::verify(&source, &replica).unwrap();
    assert!(of_source.healed.is_empty() && of_source.lost.is_empty());
    assert!(!of_replica.healed.is_empty() && of_replica.lost.is_empty(), "{of_replica:?}");
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    assert_same(&place, &restored);
}

#[test]
fn a_damaged_manifest_and_a_newer_one_are_refused() {
    let (_clock, place) = places();
    let objects = Objects::new();
    push(&place, &objects, CREATE).unwrap();
    let key = objects.keys("/manifests/").pop().unwrap();
    let whole = objects.bytes(&key);
    let mut newer = whole.clone();
    newer[8] = 9;
    objects.put(&key, newer);
    let refused = push(&place, &objects, ReplicaMode::default()).unwrap_err().to_string();
    assert!(refused.contains("version 9"), "{refused}");
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    objects.put(&key, damaged);
    let refused = push(&place, &objects, ReplicaMode::default()).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
    objects.put(&key, whole);
    assert!(push(&place, &objects, ReplicaMode::default()).unwrap().is_unchanged);
}

#[test]
fn who_had_a_state_is_known_where_it_was_restored() {
    let ((clock, place), objects) = (places(), Objects::new());
    push(&place, &objects, CREATE).unwrap();
    let restored = Place::new(2, &clock, false);
    pull(&objects, &restored);
    let (had, past) = (place.volume().past().unwrap(), restored.volume().past().unwrap());
    let [(peer, meeting)] = past.meetings.into_iter().collect::<Vec<_>>()[..] else { panic!("one has met it") };
    assert_eq!((peer, meeting.tree), (*place.store().id().as_bytes(), place.volume().state().tree()));
    assert!(had.age.continues(meeting.witness.unwrap().age));
}

#[test]
fn what_another_state_replaced_is_no_past_of_what_is_restored() {
    let ((clock, place), objects) = (places(), Objects::new());
    push(&place, &objects, CREATE).unwrap();
    let other = Place::new(2, &clock, false);
    pull(&objects, &other);
    other.pool.set_role("main", Role::Primary).unwrap();
    edits(&place, 2, 30);
    let replaced = place.volume().state().tree();
    push(&place, &objects, ReplicaMode::default()).unwrap();
    let restore = |number| {
        let restored = Place::new(number, &clock, false);
        pull(&objects, &restored);
        restored.volume().past().unwrap().states.into_keys().collect::<BTreeSet<_>>()
    };
    assert!(restore(3).contains(&replaced));
    edits(&other, 3, 30);
    push(&other, &objects, ReplicaMode { create: false, replace: true }).unwrap();
    let states = restore(4);
    assert!(states.contains(&other.volume().state().tree()) && !states.contains(&replaced));
}

#[test]
fn files_in_a_directory_are_an_object_store_too() {
    let (clock, place) = places();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/objects", folder.path().display());
    assert!(Bucket::open(&url, false).is_err(), "it is not there");
    assert!(Bucket::open(&format!("{url}/below"), true).is_err(), "what it is to be made in is not there");
    assert!(!folder.path().join("objects").exists());
    let open = || ObjectPlace::new(Bucket::open(&url, true).unwrap());
    let source = LocalSource::open(&place.pool, "main").unwrap();
    let replica = open().replica(source.origin(), CREATE).unwrap();
    sync(&source, &replica, &SyncOptions::default()).unwrap();
    drop(replica);
    let restored = Place::new(2, &clock, false);
    let from = open().source("main").unwrap();
    let to = LocalReplica::open(&restored.pool, from.origin().identity, "main", &from.origin().state, CREATE).unwrap();
    sync(&from, &to, &SyncOptions::default()).unwrap();
    drop(to);
    assert_same(&place, &restored);
}
