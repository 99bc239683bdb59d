//! Two-way syncs that are cut off: the power goes at every operation of either side's disk, the link is lost after any number of blocks.
//! What is there is the state before or the merged one, and the next sync ends where an uncut one would have.

use crate::both::{assert_equal, check, pair, sync, tree};
use crate::wire::{NEVER, with_client};
use crate::world::{Place, edit, write};
use block::{Name, PackedBlock, Store};
use mirror::{
    Adoption, BothOptions, Error, LineKind, LocalPeer, Looked, Merge, MergeResult, PeerVolume, Source, Target, Visitor,
    sync_both,
};
use sim::Random;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Inode, Peer};

/// Two sides that have gone apart, with a file that both wrote.
fn apart(seed: u64) -> (Place, Place) {
    let mut random = Random::new(seed);
    let (here, there) = pair(&mut random, 40);
    write(&here.volume(), Inode::ROOT, b"both", &mut random).unwrap();
    sync(&here, &there).unwrap();
    for place in [&here, &there] {
        (0..20).for_each(|_| edit(&place.volume(), &mut random));
        write(&place.volume(), Inode::ROOT, b"both", &mut random).unwrap();
        place.volume().sync().unwrap();
    }
    (here, there)
}

/// By path: what is there in the end, without what tells one run from another.
fn outcome(place: &Place) -> Vec<String> {
    tree(&place.volume()).describe()
}

#[test]
fn a_power_loss_on_either_side_leaves_the_old_state_or_the_merged_one() {
    for (seed, is_ours) in [(1, true), (2, false)] {
        let (here, there) = apart(seed);
        let (before, expected) = (outcome(if is_ours { &here } else { &there }), {
            let (here, there) = (copy(&here), copy(&there));
            sync(&here, &there).unwrap();
            outcome(&here)
        });
        let mut cuts = 0;
        for step in 0.. {
            let (here, there) = (copy(&here), copy(&there));
            let disk = if is_ours { here.disk.clone() } else { there.disk.clone() };
            disk.stop_at(disk.operations() + step);
            let done = sync(&here, &there);
            let is_stopped = disk.is_stopped();
            let cut = if is_ours { &here } else { &there };
            let survivor = cut.reopen_on(disk.crash(seed ^ step)).unwrap();
            check(&survivor.volume());
            let now = outcome(&survivor);
            assert!(now == before || now == expected, "step {step}: half a merge");
            assert!(done.is_err() || now == expected, "step {step}: what was reported is there");
            let (here, there) = if is_ours { (survivor, there) } else { (here, survivor) };
            sync(&here, &there).unwrap();
            assert_equal(&here, &there);
            assert_eq!(outcome(&here), expected, "step {step}");
            cuts += 1;
            if !is_stopped {
                break;
            }
        }
        assert!(cuts > 10, "{cuts} cuts");
    }
}

/// The same store on a disk of its own.
fn copy(place: &Place) -> Place {
    place.reopen_on(place.disk.image()).unwrap()
}

/// A side whose link is lost after so many calls.
struct Leaving<'a> {
    peer: LocalPeer<'a>,
    left: AtomicU64,
}

impl Leaving<'_> {
    fn call(&self) -> mirror::Result<()> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| Error::Abandoned)
    }
}

impl Source for Leaving<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> mirror::Result<()> {
        self.peer.read(names, linked_bytes_max, &mut |block| self.call().and_then(|()| visit(block)))
    }
}

impl Target for Leaving<'_> {
    fn lacking(&self, names: &[Name]) -> mirror::Result<Vec<Name>> {
        self.call().and_then(|()| self.peer.lacking(names))
    }

    fn put(&self, block: &PackedBlock) -> mirror::Result<bool> {
        self.call().and_then(|()| self.peer.put(block))
    }
}

impl PeerVolume for Leaving<'_> {
    fn look(&self) -> mirror::Result<Looked> {
        self.peer.look()
    }

    fn store(&self) -> Option<&Store> {
        self.peer.store()
    }

    fn merge(&self, merge: &Merge) -> mirror::Result<MergeResult> {
        self.peer.merge(merge)
    }

    fn adopt(&self, adoption: &Adoption) -> mirror::Result<bool> {
        self.call().and_then(|()| self.peer.adopt(adoption))
    }

    fn note_meeting(&self, peer: Peer, root: Option<Name>) -> mirror::Result<()> {
        self.call().and_then(|()| self.peer.note_meeting(peer, root))
    }
}

#[test]
fn a_lost_link_is_gone_on_from_however_often_it_is_lost() {
    let (here, there) = apart(3);
    let expected = {
        let (here, there) = (copy(&here), copy(&there));
        sync(&here, &there).unwrap();
        outcome(&here)
    };
    let mut conflicts = Vec::new();
    for calls in 0.. {
        let (here, there) =
            (LocalPeer::open(&here.pool, "main").unwrap(), LocalPeer::open(&there.pool, "main").unwrap());
        let there = Leaving { peer: there, left: calls.into() };
        let options = BothOptions { label: "there", ..BothOptions::default() };
        match sync_both(&here, &there, &options) {
            Ok(both) => {
                conflicts.extend(both.lines.into_iter().filter(|line| matches!(line.kind, LineKind::Conflict(_))));
                break;
            }
            Err(Error::Abandoned) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_equal(&here, &there);
    assert_eq!(outcome(&here), expected);
}

#[test]
fn what_is_sent_is_bounded_by_what_changed() {
    let mut random = Random::new(4);
    let (here, there) = pair(&mut random, 400);
    sync(&here, &there).unwrap();
    write(&here.volume(), Inode::ROOT, b"ours", &mut random).unwrap();
    write(&there.volume(), Inode::ROOT, b"theirs", &mut random).unwrap();
    there.volume().checkpoint().unwrap();
    let all = there.below(there.volume().state().tree()).len() as u64;
    let both = sync(&here, &there).unwrap();
    assert!(all > 100, "{all}");
    assert!(both.received.blocks < 20 && both.sent.blocks < 20, "{both:?} of {all}");
    // What has no name any more and was never reclaimed is a side's own, and is all that differs.
    let again = sync(&there, &here).unwrap();
    assert!(again.lines.is_empty() && again.sent.blocks + again.received.blocks < 10, "{again:?}");
}

#[test]
fn without_a_state_in_common_nothing_is_deleted_and_what_is_equal_is_joined() {
    let mut random = Random::new(5);
    let (here, there) = pair(&mut random, 40);
    for place in [&here, &there] {
        // Only the newest state is kept.
        place.pool.set_volume("main", &[("retention".to_owned(), "none".to_owned())]).unwrap();
    }
    let before = outcome(&here);
    for place in [&here, &there] {
        let volume = place.volume();
        (0..3).for_each(|number| {
            write(&volume, Inode::ROOT, format!("new{number}").as_bytes(), &mut random).unwrap();
            volume.checkpoint().unwrap();
        });
    }
    let (ours, theirs) = (outcome(&here), outcome(&there));
    let both = sync(&here, &there).unwrap();
    assert_equal(&here, &there);
    check(&here.volume());
    let merged = outcome(&here);
    assert!(!both.had_base || both.rounds == 1);
    assert!(before.iter().chain(&ours).all(|line| merged.contains(line)), "{merged:#?}");
    let contents = |lines: &[String]| {
        lines.iter().filter_map(|line| line.rsplit_once(' ')).map(|it| it.1.to_owned()).collect::<Vec<_>>()
    };
    assert!(contents(&theirs).iter().all(|content| contents(&merged).contains(content)));
    assert!(merged.len() <= ours.len() + 3, "{merged:#?}");
}

#[test]
fn both_sides_can_be_elsewhere_and_the_streams_can_be_cut_at_any_byte() {
    let (here, there) = apart(6);
    let expected = {
        let (here, there) = (copy(&here), copy(&there));
        sync(&here, &there).unwrap();
        outcome(&here)
    };
    let (mut cuts, mut is_done) = (0, false);
    while !is_done {
        let bytes = 400 * (cuts + 1);
        // In turn: what the other side is sent, and what it answers.
        let (sent_max, answered_max) = if cuts % 2 == 0 { (bytes, NEVER) } else { (NEVER, bytes) };
        let options = BothOptions { label: "there", ..BothOptions::default() };
        let done = with_client(&here, NEVER, NEVER, |ours| {
            with_client(&there, sent_max, answered_max, |theirs| {
                sync_both(&ours.open_peer("main")?, &theirs.open_peer("main")?, &options)
            })
        });
        check(&here.volume());
        check(&there.volume());
        is_done = done.is_ok();
        cuts += 1;
    }
    assert!(cuts > 3, "{cuts} cuts");
    assert_equal(&here, &there);
    assert_eq!(outcome(&here), expected);
}
