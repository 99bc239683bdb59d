//! Which files use blocks that are lacking.

use super::User;
use crate::inode::Inode;
use crate::kept::KeptRoot;
use crate::key::{self, Subject};
use crate::limits::SCRUB_USERS_MAX;
use crate::{Error, Pool, PoolError, Result, Timestamp, Volume, record};
use block::Name;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tree::{Lack, Tree};

/// The users of each block.
pub(super) type Users = BTreeMap<Name, Vec<User>>;

/// Finds who uses some blocks, in every volume and every kept state, and in the catalog.
pub(super) fn of(pool: &Pool, lacking: &BTreeSet<Name>) -> std::result::Result<Users, PoolError> {
    let mut users = Users::new();
    pool.catalog_tree()
        .lacks(&|name| lacking.contains(name), &mut HashSet::new(), &mut |lack| {
            add(&mut users, name_of(&lack), String::new(), None, "the list of volumes".to_owned());
        })
        .map_err(Error::from)?;
    let volumes = pool.open_volumes_with_names()?;
    for (volume, name) in &volumes {
        in_volume(volume, name, lacking, &mut users)?;
    }
    // What nobody else uses, a volume does that cannot be read.
    let left: Vec<Name> = lacking.iter().filter(|name| !users.contains_key(name)).copied().collect();
    for (_, volume) in volumes.iter().filter(|(volume, _)| volume.is_locked()) {
        for name in &left {
            add(&mut users, *name, volume.clone(), None, "what cannot be told while it is locked".to_owned());
        }
    }
    Ok(users)
}

fn in_volume(volume: &Volume, volume_name: &str, lacking: &BTreeSet<Name>, users: &mut Users) -> Result<()> {
    let kept = volume.kept();
    kept.tree().lacks(&|name| lacking.contains(name), &mut HashSet::new(), &mut |lack| {
        if let Lack::Node { name, .. } = lack {
            add(users, name, volume_name.to_owned(), None, "the list of snapshots and history".to_owned());
        }
    })?;
    if let Some(slots) = volume.slots_block().filter(|slots| lacking.contains(slots)) {
        add(users, slots, volume_name.to_owned(), None, "the key slots".to_owned());
    }
    if volume.is_locked() {
        return Ok(());
    }
    let mut sound = HashSet::new();
    let tree = volume.layers.base.load().tree.clone();
    in_state(&tree, volume_name, None, lacking, &mut sound, users)?;
    let mut named = HashSet::from([tree.root()]);
    let (snapshots, history): (Vec<_>, Vec<_>) = kept_roots(volume)?.into_iter().partition(is_snapshot);
    for root in snapshots.iter().chain(&history) {
        // A state of the history that is one of those named already adds nothing.
        let is_new = named.insert(root.tree());
        if is_new || is_snapshot(root) {
            let tree = Tree::new(volume.contents.nodes.clone(), root.tree());
            in_state(&tree, volume_name, Some(&kept_name(root)), lacking, &mut sound, users)?;
        }
    }
    Ok(())
}

fn is_snapshot(root: &KeptRoot) -> bool {
    root.snapshot_name().is_some()
}

fn kept_name(root: &KeptRoot) -> String {
    root.snapshot_name().map_or_else(|| format!("@{}", root.taken().seconds), str::to_owned)
}

/// The kept roots that the list of them, damaged or not, still shows.
fn kept_roots(volume: &Volume) -> Result<Vec<KeptRoot>> {
    let time = |seconds| Timestamp { seconds, nanoseconds: 0 };
    let unless_damaged = |error: Error| if error.is_damage() { Ok(()) } else { Err(error) };
    let mut found = Vec::new();
    match volume.kept_roots(time(i64::MIN), time(i64::MAX)) {
        Ok(roots) => {
            for root in roots {
                match root {
                    Ok(root) => found.push(root),
                    Err(error) => return unless_damaged(error).map(|()| found),
                }
            }
        }
        Err(error) => unless_damaged(error)?,
    }
    Ok(found)
}

fn in_state(
    tree: &Tree,
    volume: &str,
    kept: Option<&str>,
    lacking: &BTreeSet<Name>,
    sound: &mut HashSet<Name>,
    users: &mut Users,
) -> Result<()> {
    let mut lacks = Vec::new();
    tree.lacks(&|name| lacking.contains(name), sound, &mut |lack| lacks.push(lack))?;
    if lacks.is_empty() {
        return Ok(());
    }
    let paths = Paths::of(tree, &lacks)?;
    for lack in &lacks {
        for what in paths.describe(lack) {
            add(users, name_of(lack), volume.to_owned(), kept.map(str::to_owned), what);
        }
    }
    Ok(())
}

fn name_of(lack: &Lack) -> Name {
    match lack {
        Lack::Linked { name, .. } | Lack::Node { name, .. } => *name,
    }
}

fn add(users: &mut Users, name: Name, volume: String, kept: Option<String>, what: String) {
    let of_block = users.entry(name).or_default();
    let user = User { volume, kept, what };
    if of_block.len() < SCRUB_USERS_MAX && !of_block.contains(&user) {
        of_block.push(user);
    }
}

/// Inodes with numbers from one to another.
type Inodes = (u64, u64);

/// Where inodes are found in a tree that may be damaged.
struct Paths {
    /// A name of each inode that is asked for, and of each directory: the directory that it is in, and the name there.
    names: BTreeMap<u64, (u64, Vec<u8>)>,
}

impl Paths {
    fn of(tree: &Tree, lacks: &[Lack]) -> Result<Self> {
        let wanted: Vec<Inodes> = lacks.iter().map(inodes).collect();
        let mut names = BTreeMap::new();
        tree.readable(&mut |entry| {
            let Some((directory, Subject::Dentry, rest)) = key::parse(entry.key) else { return };
            let (Some((_, name)), Ok(dentry)) = (key::parse_dentry(rest), record::whole(entry.value, record::dentry))
            else {
                return;
            };
            let inode = dentry.inode;
            let is_wanted = wanted.iter().any(|(from, to)| (*from..=*to).contains(&inode));
            if is_wanted || dentry.kind == crate::Kind::Directory {
                names.insert(inode, (directory.0, name.to_vec()));
            }
        })?;
        Ok(Self { names })
    }

    /// What a lack costs, in words: paths where they can be found.
    fn describe(&self, lack: &Lack) -> Vec<String> {
        let (from, to) = inodes(lack);
        let known: Vec<String> =
            self.names.range(from..=to).map(|(inode, _)| self.path(*inode)).take(SCRUB_USERS_MAX).collect();
        let what = match (from, to == u64::MAX) {
            (from, false) if from == to => format!("inode {from}"),
            (from, false) => format!("inodes {from} to {to}"),
            (from, true) => format!("inodes from {from} on"),
        };
        match lack {
            Lack::Linked { .. } if from == Inode::ROOT.0 => vec!["/".to_owned()],
            Lack::Linked { .. } if known.is_empty() => vec![what],
            Lack::Linked { .. } => known,
            Lack::Node { .. } => {
                let mut all = vec![format!("some of what the {what} hold")];
                all.extend(known);
                all
            }
        }
    }

    fn path(&self, inode: u64) -> String {
        let mut parts = Vec::new();
        let mut at = inode;
        while at != Inode::ROOT.0 {
            // Deeper than any path, or in a circle: it is damaged.
            let Some((directory, name)) = self.names.get(&at).filter(|_| parts.len() < 4096) else {
                parts.push(format!("(inode {at})"));
                break;
            };
            parts.push(String::from_utf8_lossy(name).into_owned());
            at = *directory;
        }
        parts.iter().rev().fold(String::new(), |path, part| path + "/" + part)
    }
}

/// The inodes whose records a lack touches.
fn inodes(lack: &Lack) -> Inodes {
    let number = |key: &[u8]| key.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
    match lack {
        Lack::Linked { key, .. } => (number(key), number(key)),
        Lack::Node { from, to, .. } => (number(from), to.as_ref().map_or(u64::MAX, |to| number(to))),
    }
}
