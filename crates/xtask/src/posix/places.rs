//! Which paths, names, offsets and lengths are tried: few enough that calls meet, and the odd ones among them.

use super::content::Content;
use super::name::Name;
use super::operation::{SLOTS, Slot, Target};
use crate::real::chance::Chance;

/// Most directories have these names, so that paths through them often lead somewhere.
const DIRECTORIES: &[&str] = &["a", "b"];
const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f"];
/// NAME_MAX and PATH_MAX of `linux/limits.h`; a path's closing zero counts.
const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4096;
/// Where something happens in one of the file systems: pages, records in the tree, chunks, and what is far away.
const EDGES: &[u64] = &[0, 512, 2048, 4096, 8192, 64 << 10, 128 << 10, 256 << 10, 1 << 20, 1 << 33, 1 << 40];
const NEAR_EDGES: usize = 7;

/// One of a few things.
pub(super) fn one_of<T: Clone>(chance: &mut Chance, choices: &[T]) -> T {
    choices[chance.within(0..choices.len())].clone()
}

pub(super) fn is_one_in(chance: &mut Chance, count: usize) -> bool {
    chance.within(0..count) == 0
}

pub(super) fn path(chance: &mut Chance) -> Name {
    match chance.within(0..100) {
        0..88 => plain(chance),
        88..96 => dotted(chance),
        96..98 => odd(chance),
        _ => long(chance),
    }
}

/// A path for a directory, mostly.
pub(super) fn directory(chance: &mut Chance) -> Name {
    match is_one_in(chance, 5) {
        true => path(chance),
        false => below(chance, DIRECTORIES),
    }
}

/// Between one and three plain names.
fn plain(chance: &mut Chance) -> Name {
    below(chance, NAMES)
}

/// One of some names, in one of few directories.
fn below(chance: &mut Chance, names: &[&str]) -> Name {
    let levels = one_of(chance, &[0, 0, 0, 1, 1, 2]);
    let parents = if is_one_in(chance, 12) { NAMES } else { DIRECTORIES };
    let mut path: Vec<&str> = (0..levels).map(|_| one_of(chance, parents)).collect();
    path.push(one_of(chance, names));
    Name::from(path.join("/").as_str())
}

/// With dots and slashes where they change something, or should not.
fn dotted(chance: &mut Chance) -> Name {
    let (path, name) = (plain(chance).0, one_of(chance, NAMES));
    let [before, behind] = one_of(
        chance,
        &[["", "/"], ["", "/"], ["", "//"], ["./", ""], ["", "/."], ["", "/.."], [".//./", ""], ["", "/../"], ["", ""]],
    );
    let path = [before.as_bytes(), &path, behind.as_bytes()].concat();
    match chance.within(0..6) {
        0 => one_of(chance, &["", ".", "./", "..", "/no such place/a"].map(Name::from)),
        1 => Name([&path, b"/".as_slice(), name.as_bytes()].concat()),
        _ => Name(path),
    }
}

fn odd(chance: &mut Chance) -> Name {
    let names: [&[u8]; 6] = [b"\xff\xfe", b" ", b"two\nlines", b"-rf", b"...", b"\x01\x7f"];
    let name = one_of(chance, &names);
    match is_one_in(chance, 2) {
        true => Name(name.to_vec()),
        false => plain(chance).join(name),
    }
}

/// At the limits of names and paths, and one beyond.
fn long(chance: &mut Chance) -> Name {
    let length = NAME_BYTES_MAX + chance.within(0..2);
    match chance.within(0..4) {
        0 | 1 => Name(vec![b'n'; length]),
        2 => plain(chance).join(&vec![b'n'; length]),
        _ => {
            let length = PATH_BYTES_MAX - 2 + chance.within(0..3);
            let mut path = b"./".repeat(length / 2);
            path.resize(length - 1, b'/');
            path.extend_from_slice(one_of(chance, NAMES).as_bytes());
            Name(path)
        }
    }
}

pub(super) fn slot(chance: &mut Chance) -> Slot {
    chance.within(0..SLOTS)
}

pub(super) fn target(chance: &mut Chance) -> Target {
    match chance.within(0..4) {
        0 => Target::Slot(slot(chance)),
        1 => Target::Link(path(chance)),
        _ => Target::Path(path(chance)),
    }
}

/// Near an edge, or anywhere in the first pages.
pub(super) fn offset(chance: &mut Chance) -> u64 {
    match chance.within(0..10) {
        0..4 => chance.within(0..10_000) as u64,
        4..9 => near_edge(chance, EDGES.len() - 2),
        _ if is_one_in(chance, 8) => one_of(chance, &[1 << 63, u64::MAX, u64::MAX - 4096]),
        _ => near_edge(chance, EDGES.len()),
    }
}

fn near_edge(chance: &mut Chance, edges: usize) -> u64 {
    let edge = one_of(chance, &EDGES[..edges]);
    (edge + chance.within(0..NEAR_EDGES) as u64).saturating_sub(NEAR_EDGES as u64 / 2)
}

/// A length of data: mostly short.
pub(super) fn length(chance: &mut Chance) -> usize {
    match chance.within(0..20) {
        0..8 => chance.within(0..100),
        8..14 => chance.within(0..5_000),
        14..19 => near_edge(chance, 6) as usize,
        _ => near_edge(chance, 8) as usize,
    }
}

pub(super) fn content(chance: &mut Chance) -> Content {
    let bytes = length(chance);
    match is_one_in(chance, 6) {
        true => Content::Zeros { bytes },
        false => Content::Random { seed: chance.next() % 1000, bytes },
    }
}
