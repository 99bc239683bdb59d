//! All that is in a folder, to see that nothing was changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files with their content but for zeros at the end, which may be space that is only reserved; directories without.
pub(crate) type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

pub(crate) fn tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    add(folder, &mut tree, &without_zeros);
    tree
}

/// Files with all of their content.
pub(crate) fn exact_tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    add(folder, &mut tree, &|content| content);
    tree
}

fn add(folder: &Path, tree: &mut Tree, shorten: &dyn Fn(Vec<u8>) -> Vec<u8>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            add(&path, tree, shorten);
            tree.insert(path, None);
        } else {
            tree.insert(path.clone(), fs::read(&path).ok().map(shorten));
        }
    }
}

fn without_zeros(mut content: Vec<u8>) -> Vec<u8> {
    let length = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    content.truncate(length);
    content
}
