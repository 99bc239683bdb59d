//! One test per row of the table in `docs/decisions/0014-two-way.md`. The base is a directory 20 (`d`) and in it the files 30 (`f`)
//! and 31 (`g`), and beside it the directory 21 (`e`).

use super::changes::{Changes, Pair, Touched};
use super::known::Known;
use super::objects::{Object, Spot};
use super::plan::{Action, ConflictKind, Plan, conflict_name, plan};
use crate::change::Dentry;
use crate::{Attributes, Inode, InodeFlags, Kind, Result, Timestamp};
use std::collections::BTreeMap;

const TOP: u64 = 1;
const D: u64 = 20;
const E: u64 = 21;
const F: u64 = 30;
const G: u64 = 31;

fn attributes(kind: Kind) -> Attributes {
    let time = Timestamp { seconds: 1, nanoseconds: 0 };
    Attributes {
        kind,
        permissions: 0o644,
        uid: 1,
        gid: 1,
        links: if kind == Kind::Directory { 2 } else { 1 },
        device: 0,
        size: 0,
        allocated_bytes: 0,
        xattr_bytes: 0,
        accessed: time,
        modified: time,
        changed: time,
        born: time,
        parent: D,
        flags: InodeFlags::default(),
    }
}

/// What a side did.
#[derive(Default)]
struct Side(Changes);

impl Side {
    fn kind(inode: u64) -> Kind {
        if inode < 30 { Kind::Directory } else { Kind::File }
    }

    fn name(
        mut self,
        directory: u64,
        name: &str,
        before: impl Into<Option<u64>>,
        after: impl Into<Option<u64>>,
    ) -> Self {
        let dentry = |inode: u64| Dentry { inode, kind: Self::kind(inode) };
        let pair = Pair { before: before.into().map(dentry), after: after.into().map(dentry) };
        self.0.names.insert((Inode(directory), name.as_bytes().into()), pair);
        self
    }

    fn touched(&mut self, inode: u64) -> &mut Touched {
        let same = Some(attributes(Self::kind(inode)));
        let new = Touched { attributes: Pair { before: same.clone(), after: same }, ..Touched::default() };
        self.0.inodes.entry(Inode(inode)).or_insert(new)
    }

    fn wrote(mut self, inode: u64) -> Self {
        self.touched(inode).content = true;
        self
    }

    fn made(mut self, inode: u64, directory: u64, name: &str) -> Self {
        self.touched(inode).attributes.before = None;
        self.touched(inode).content = true;
        self.name(directory, name, None, inode)
    }

    fn deleted(mut self, inode: u64, directory: u64, name: &str) -> Self {
        self.touched(inode).attributes.after = None;
        self.name(directory, name, inode, None)
    }

    fn moved(self, inode: u64, from: (u64, &str), to: (u64, &str)) -> Self {
        self.name(from.0, from.1, inode, None).name(to.0, to.1, None, inode)
    }

    /// As programs save: a new file under the name of the old one.
    fn replaced(mut self, old: u64, new: u64, directory: u64, name: &str) -> Self {
        self.touched(old).attributes.after = None;
        self.touched(new).attributes.before = None;
        self.touched(new).content = true;
        self.name(directory, name, old, new)
    }

    fn permissions(mut self, inode: u64, permissions: u32) -> Self {
        self.touched(inode).attributes.after.as_mut().unwrap().permissions = permissions;
        self
    }

    fn xattr(mut self, inode: u64, name: &str, value: &'static str) -> Self {
        let value = Some((value.as_bytes().into(), None));
        self.touched(inode).xattrs.insert(name.as_bytes().into(), value);
        self
    }
}

/// What the plan asks about.
struct Asked {
    is_same: bool,
}

impl Known for Asked {
    fn is_same(&self, _: Inode, _: Inode) -> Result<bool> {
        Ok(self.is_same)
    }

    fn have_we_left(&self, _: Inode, _: Inode) -> Result<bool> {
        Ok(self.is_same)
    }

    fn have_they_left(&self, _: Inode, _: Inode) -> Result<bool> {
        Ok(self.is_same)
    }

    fn is_taken_by_us(&self, _: Inode, _: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn is_taken_by_them(&self, _: Inode, _: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn parent(&self, _: Inode) -> Result<Inode> {
        Ok(Inode(TOP))
    }

    fn place(&self, inode: Inode) -> Result<Option<(Inode, Box<[u8]>)>> {
        let name = if inode.0 == F { b"f" } else { b"g" };
        Ok(Some((Inode(D), name[..].into())))
    }
}

/// What a plan comes to: names in the merged state, what happens to inodes, what is told.
#[derive(Debug, PartialEq)]
struct Seen {
    names: Vec<String>,
    actions: Vec<String>,
    told: Vec<ConflictKind>,
}

fn merged(ours: &Side, theirs: &Side, is_same: bool) -> Seen {
    let Plan { actions, names, told, .. } = plan(&ours.0, &theirs.0, &Asked { is_same }, "there").unwrap();
    let object = |object: &Object| match object {
        Object::Ours(inode) => format!("ours {}", inode.0),
        Object::Theirs(inode) => format!("theirs {}", inode.0),
        Object::Copy(inode) => format!("copy {}", inode.0),
    };
    let name = |(spot, (_, after)): (&Spot, &(_, Option<Object>))| {
        let after = after.as_ref().map(object)?;
        Some(format!("{}/{} {after}", object(&spot.0), String::from_utf8_lossy(&spot.1)))
    };
    let action = |action: &Action| match action {
        Action::Drop { ours } => format!("drop {}", ours.0),
        Action::Take { object: it, .. } => format!("take {}", object(it)),
        Action::Replace { ours, theirs, .. } => format!("replace {} {}", ours.0, theirs.0),
        Action::Write { ours, .. } => format!("write {}", ours.0),
        Action::SetAttributes { object: it, attributes } => format!("set {} {:o}", object(it), attributes.permissions),
        Action::SetXattrs { object: it, names, .. } => format!("xattrs {} {}", object(it), names.len()),
    };
    let names: BTreeMap<Spot, _> = names;
    let mut told: Vec<_> = told.iter().map(|told| told.kind).collect();
    // Attributes and extended ones are told as one.
    told.dedup();
    Seen { names: names.iter().filter_map(name).collect(), actions: actions.iter().map(action).collect(), told }
}

fn check(ours: Side, theirs: Side, names: &[&str], actions: &[&str], told: &[ConflictKind]) {
    let seen = merged(&ours, &theirs, false);
    assert_eq!(seen.names, names, "{seen:?}");
    assert_eq!(seen.actions, actions, "{seen:?}");
    assert_eq!(seen.told, told, "{seen:?}");
}

#[test]
fn what_only_they_wrote_is_taken() {
    check(Side::default(), Side::default().wrote(F), &[], &["write 30", "set ours 30 644"], &[]);
    check(Side::default().wrote(G), Side::default(), &[], &[], &[]);
}

#[test]
fn what_both_wrote_is_there_twice() {
    let names = ["ours 20/f (conflict there) copy 30"];
    check(Side::default().wrote(F), Side::default().wrote(F), &names, &["take copy 30"], &[ConflictKind::BothWrote]);
}

#[test]
fn what_both_wrote_alike_is_no_conflict() {
    let seen = merged(&Side::default().wrote(F), &Side::default().wrote(F), true);
    assert_eq!(seen, Seen { names: vec![], actions: vec![], told: vec![] });
}

#[test]
fn what_they_saved_by_renaming_is_taken_under_their_number() {
    let theirs = Side::default().replaced(F, 40, D, "f");
    check(Side::default(), theirs, &["ours 20/f ours 30"], &["replace 30 40", "set ours 30 644"], &[]);
}

#[test]
fn what_both_saved_by_renaming_is_there_twice() {
    let (ours, theirs) = (Side::default().replaced(F, 41, D, "f"), Side::default().replaced(F, 40, D, "f"));
    let names = ["ours 20/f ours 30", "ours 20/f (conflict there) copy 40"];
    check(ours, theirs, &names, &["take copy 40"], &[ConflictKind::BothWrote]);
}

#[test]
fn what_they_deleted_is_gone() {
    check(Side::default(), Side::default().deleted(F, D, "f"), &[], &["drop 30"], &[]);
    check(Side::default().deleted(F, D, "f"), Side::default(), &[], &[], &[]);
}

#[test]
fn what_one_wrote_and_the_other_deleted_stays() {
    let told = [ConflictKind::ChangedAndDeleted];
    let names = ["ours 20/f ours 30"];
    check(Side::default().deleted(F, D, "f"), Side::default().wrote(F), &names, &["take ours 30"], &told);
    check(Side::default().wrote(F), Side::default().deleted(F, D, "f"), &names, &[], &told);
}

#[test]
fn what_one_saved_again_as_it_was_and_the_other_deleted_is_gone() {
    let (deleted, saved) = (|| Side::default().deleted(F, D, "f"), || Side::default().replaced(F, 40, D, "f"));
    let told = [ConflictKind::ChangedAndDeleted];
    check(deleted(), saved(), &["ours 20/f ours 30"], &["take ours 30"], &told);
    for (ours, theirs, actions) in [(deleted(), saved(), &[][..]), (saved(), deleted(), &["drop 40".to_owned()][..])] {
        let Seen { names, actions: seen, told } = merged(&ours, &theirs, true);
        assert_eq!((names, &seen[..], told), (Vec::new(), actions, Vec::new()));
    }
}

#[test]
fn what_one_changed_the_mode_of_and_the_other_deleted_is_gone() {
    check(Side::default().deleted(F, D, "f"), Side::default().permissions(F, 0o600), &[], &[], &[]);
}

#[test]
fn what_one_moved_and_the_other_deleted_stays_at_its_new_name() {
    let moved = || Side::default().moved(F, (D, "f"), (E, "f"));
    let told = [ConflictKind::MovedAndDeleted];
    let names = ["ours 21/f ours 30"];
    check(Side::default().deleted(F, D, "f"), moved(), &names, &["take ours 30"], &told);
    check(moved(), Side::default().deleted(F, D, "f"), &names, &[], &told);
}

#[test]
fn what_one_moved_and_the_other_wrote_is_moved_and_written() {
    let moved = Side::default().moved(F, (D, "f"), (E, "f"));
    check(Side::default().wrote(F), moved, &["ours 21/f ours 30"], &[], &[]);
}

#[test]
fn what_both_moved_is_where_we_moved_it() {
    let (ours, theirs) = (Side::default().moved(F, (D, "f"), (D, "a")), Side::default().moved(F, (D, "f"), (D, "b")));
    check(ours, theirs, &["ours 20/a ours 30"], &[], &[ConflictKind::BothMoved]);
}

#[test]
fn names_that_both_added_are_both_there() {
    let (ours, theirs) = (Side::default().name(D, "a", None, F), Side::default().name(D, "b", None, F));
    check(ours, theirs, &["ours 20/a ours 30", "ours 20/b ours 30"], &[], &[]);
}

#[test]
fn different_files_of_one_name_are_both_there() {
    let (ours, theirs) = (Side::default().made(40, D, "n.txt"), Side::default().made(40, D, "n.txt"));
    let names = ["ours 20/n (conflict there).txt theirs 40", "ours 20/n.txt ours 40"];
    check(ours, theirs, &names, &["take theirs 40"], &[ConflictKind::SameName]);
}

#[test]
fn the_same_file_that_both_made_is_one() {
    let (ours, theirs) = (Side::default().made(40, D, "n"), Side::default().made(41, D, "n"));
    let seen = merged(&ours, &theirs, true);
    assert_eq!(seen, Seen { names: vec!["ours 20/n ours 40".into()], actions: vec![], told: vec![] });
}

#[test]
fn directories_that_both_made_are_one_with_what_is_in_both() {
    let ours = Side::default().made(22, D, "n").made(40, 22, "a");
    let theirs = Side::default().made(23, D, "n").made(41, 23, "b");
    let names = ["ours 20/n ours 22", "ours 22/a ours 40", "ours 22/b theirs 41"];
    check(ours, theirs, &names, &["take theirs 41"], &[]);
}

#[test]
fn a_directory_keeps_its_name_beside_a_file() {
    let (ours, theirs) = (Side::default().made(40, D, "n"), Side::default().made(22, D, "n"));
    let names = ["ours 20/n theirs 22", "ours 20/n (conflict there) ours 40"];
    check(ours, theirs, &names, &["take theirs 22"], &[ConflictKind::SameName]);
}

#[test]
fn a_directory_that_one_deleted_stays_with_what_the_other_put_there() {
    let deleted = || Side::default().deleted(E, TOP, "e");
    let told = [ConflictKind::DirectoryInUse];
    let moved = || Side::default().moved(F, (D, "f"), (E, "f"));
    let names = ["ours 1/e ours 21", "ours 21/f ours 30"];
    check(deleted(), moved(), &names, &["take ours 21"], &told);
    check(moved(), deleted(), &names, &[], &told);
}

#[test]
fn directories_moved_below_each_other_stay_where_we_moved_them() {
    let ours = Side::default().moved(D, (TOP, "d"), (E, "d"));
    let theirs = Side::default().moved(E, (TOP, "e"), (D, "e"));
    let names = ["ours 1/e ours 21", "ours 21/d ours 20"];
    check(ours, theirs, &names, &[], &[ConflictKind::CrossingMoves]);
}

#[test]
fn attributes_come_from_who_changed_them_and_ours_count_if_both_did() {
    let mode = |permissions| Side::default().permissions(F, permissions);
    check(Side::default().wrote(F), mode(0o600), &[], &["set ours 30 600"], &[]);
    check(mode(0o640), mode(0o600), &[], &[], &[ConflictKind::Attributes]);
    check(mode(0o600), mode(0o600), &[], &[], &[]);
}

#[test]
fn extended_attributes_are_joined_by_name() {
    let (ours, theirs) = (Side::default().xattr(F, "user.a", "1"), Side::default().xattr(F, "user.b", "2"));
    check(ours, theirs, &[], &["xattrs ours 30 1"], &[]);
    let (ours, theirs) = (Side::default().xattr(F, "user.a", "1"), Side::default().xattr(F, "user.a", "2"));
    check(ours, theirs, &[], &[], &[ConflictKind::Attributes]);
}

#[test]
fn an_access_list_and_the_mode_are_one() {
    let list = "system.posix_acl_access";
    let (ours, theirs) = (Side::default().permissions(F, 0o600), Side::default().xattr(F, list, "x"));
    check(ours, theirs, &[], &[], &[ConflictKind::Attributes]);
    let theirs = Side::default().xattr(F, list, "x").permissions(F, 0o640);
    check(Side::default(), theirs, &[], &["set ours 30 640", "xattrs ours 30 1"], &[]);
}

#[test]
fn names_of_conflicts_keep_their_ends_and_their_length() {
    let name =
        |text: &str, number| String::from_utf8(conflict_name(text.as_bytes(), "2026-11-27 drive", number).into());
    assert_eq!(name("report.txt", 1).unwrap(), "report (conflict 2026-11-27 drive).txt");
    assert_eq!(name("report", 2).unwrap(), "report (conflict 2026-11-27 drive 2)");
    assert_eq!(name(".profile", 1).unwrap(), ".profile (conflict 2026-11-27 drive)");
    let long = name(&"\u{e9}".repeat(127), 1).unwrap();
    assert!(long.len() <= crate::limits::NAME_BYTES_MAX && long.ends_with(" (conflict 2026-11-27 drive)"));
}
