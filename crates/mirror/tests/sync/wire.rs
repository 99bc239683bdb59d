//! Syncs over a byte stream: to and from another process, and cut at any byte.

use crate::world::{CREATE, Clock, Place, assert_same, edit};
use mirror::{
    Client, Error, LocalReplica, LocalSource, Origin, ReplicaMode, Result, SourceVolume, SyncOptions, Synced, serve,
    sync,
};
use sim::Random;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

/// The sending end of a stream that is cut after so many bytes.
struct Cut {
    stream: UnixStream,
    bytes_left: usize,
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.bytes_left);
        if length == 0 && !bytes.is_empty() {
            self.stream.shutdown(Shutdown::Both)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.bytes_left -= length;
        self.stream.write_all(&bytes[..length]).map(|()| length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

pub(crate) const NEVER: usize = usize::MAX;

/// Runs something with a client whose server has a place. What the client sends, and what it gets, is cut after so many bytes.
pub(crate) fn with_client<T>(
    place: &Place,
    sent_max: usize,
    answered_max: usize,
    run: impl FnOnce(Client) -> Result<T>,
) -> Result<T> {
    let (here, there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let reader = Box::new(there.try_clone().unwrap());
            let _ = serve(reader, Box::new(Cut { stream: there, bytes_left: answered_max }), &place.pool);
        });
        let reader = Box::new(here.try_clone().unwrap());
        let client = Client::connect(reader, Box::new(Cut { stream: here, bytes_left: sent_max }))?;
        run(client)
    })
}

fn push(from: &Place, to: &Place, mode: ReplicaMode, sent_max: usize) -> Result<Synced> {
    let source = LocalSource::open(&from.pool, "main")?;
    let Origin { identity, name, state, .. } = source.origin();
    with_client(to, sent_max, NEVER, |client| {
        let replica = client.open_replica(*identity, name, state, mode)?;
        sync(&source, &replica, &SyncOptions::default())
    })
}

fn pull(from: &Place, to: &Place, mode: ReplicaMode, answered_max: usize) -> Result<Synced> {
    with_client(from, NEVER, answered_max, |client| {
        let source = client.open_source("main")?;
        let Origin { identity, name, state, .. } = source.origin();
        let replica = LocalReplica::open(&to.pool, *identity, name, state, mode)?;
        sync(&source, &replica, &SyncOptions::default())
    })
}

fn pair(seed: u64, edits: u64) -> (Place, Place) {
    let clock = Arc::new(Clock::default());
    let (here, there) = (Place::new(1, &clock, true), Place::new(2, &clock, false));
    work(&here, seed, edits);
    (here, there)
}

fn work(place: &Place, seed: u64, edits: u64) {
    let mut random = Random::new(seed);
    (0..edits).for_each(|_| edit(&place.volume(), &mut random));
    place.volume().create_snapshot(&format!("snapshot{seed}"), false).unwrap();
}

#[test]
fn a_push_and_a_pull_bring_a_replica_elsewhere_to_the_state() {
    for run in [push, pull] {
        let (here, there) = pair(1, 150);
        assert!(run(&here, &there, CREATE, NEVER).unwrap().sent.blocks > 20);
        assert_same(&here, &there);
        work(&here, 2, 30);
        run(&here, &there, ReplicaMode::default(), NEVER).unwrap();
        assert_same(&here, &there);
        assert!(run(&here, &there, ReplicaMode::default(), NEVER).unwrap().is_unchanged);
    }
}

#[test]
fn what_the_other_side_refuses_is_said_here_in_its_words() {
    let (here, there) = pair(1, 10);
    let refused = push(&here, &there, ReplicaMode::default(), NEVER).unwrap_err();
    assert!(matches!(&refused, Error::Remote { text } if text.contains("no replica of main")), "{refused}");
    let refused = pull(&there, &here, CREATE, NEVER).unwrap_err();
    assert!(matches!(&refused, Error::Remote { text } if text.contains("main")), "{refused}");
}

#[test]
fn a_full_disk_at_the_other_side_is_said_here() {
    let (here, there) = pair(1, 10);
    push(&here, &there, CREATE, NEVER).unwrap();
    let mut random = Random::new(5);
    for number in 0..60 {
        let name = format!("large{number}").into_bytes();
        let volume = here.volume();
        let made = volume.make(volume::Inode::ROOT, &name, volume::NewInode::File, 0o644, crate::world::OWNER).unwrap();
        volume.write(made.0, 0, &random.bytes(120_000), volume::Privileges::default()).unwrap();
    }
    there.disk.set_capacity(1 << 20);
    let failed = push(&here, &there, ReplicaMode::default(), NEVER).unwrap_err();
    assert!(failed.to_string().contains("full"), "{failed}");
}

#[test]
fn a_link_that_is_cut_at_any_byte_leaves_one_state_and_the_next_sync_goes_on() {
    for seed in 0..crate::seeds("MIRROR_CUT_SEEDS", 6) {
        for run in [push, pull] {
            let mut random = Random::new(seed);
            let (here, there) = pair(seed, 60);
            run(&here, &there, CREATE, NEVER).unwrap();
            for round in 0..3 {
                work(&here, 100 + round, 60);
                let before = there.volume().state();
                let all = here.below(here.volume().state().tree()).len() as u64;
                let (mut sent, mut bytes_max) = (0, 100);
                while let Err(error) =
                    run(&here, &there, ReplicaMode::default(), bytes_max).map(|s| sent += s.sent.blocks)
                {
                    assert!(matches!(error, Error::Link { .. }), "{error}");
                    let state = there.volume().state();
                    assert!(state.is_same(&before) || state.is_same(&here.volume().state()), "seed {seed}");
                    bytes_max += 1 + random.below(20_000) as usize;
                }
                assert!(sent <= all);
                assert_same(&here, &there);
            }
        }
    }
}

#[test]
fn what_is_no_protocol_is_told_apart() {
    let (here, mut there) = UnixStream::pair().unwrap();
    there.write_all(b"Welcome to this machine!\nLast login: never\n").unwrap();
    let client = Client::connect(Box::new(here.try_clone().unwrap()), Box::new(here));
    let error = client.err().unwrap();
    assert!(error.to_string().contains("does not speak"), "{error}");
    let mut hello = Vec::new();
    there.set_nonblocking(true).unwrap();
    let _ = there.read_to_end(&mut hello);
    assert!(hello.len() > 4);
}

#[test]
fn another_version_is_named() {
    let (here, mut there) = UnixStream::pair().unwrap();
    let mut hello = b"\x01PnMirror\x09\x00pantala 9".to_vec();
    let length = (hello.len() as u32).to_le_bytes();
    hello.splice(0..0, length);
    there.write_all(&hello).unwrap();
    let error = Client::connect(Box::new(here.try_clone().unwrap()), Box::new(here)).err().unwrap();
    assert!(matches!(error, Error::Version { theirs: 9, ours: 3, .. }), "{error}");
}
