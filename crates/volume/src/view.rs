//! Reading a state of a volume: the newest one, with what waits in memory above the tree, or one that is kept.

use crate::contents::Contents;
use crate::kept::{KeptRoot, Pin};
use crate::layers::Layers;
use crate::{Attributes, Error, Inode, Kind, Result, State};
use block::{Blocks, Name};
use std::sync::Arc;
use tree::Tree;

/// A state of a volume, to be read. That of a kept root never changes. A [`crate::Volume`] reads its newest state through one, and
/// changes it meanwhile, under locks of its own.
pub struct View {
    pub(crate) layers: Layers,
    pub(crate) hash_seed: u64,
    pub(crate) contents: Arc<Contents>,
    /// Keeps the kept root that the state is of.
    _pin: Option<Pin>,
}

impl View {
    pub(crate) fn new(root: Option<Name>, hash_seed: u64, contents: Arc<Contents>) -> Self {
        let tree = Tree::new(contents.nodes.clone(), root);
        Self { layers: Layers::new(tree), hash_seed, contents, _pin: None }
    }

    /// The state of a kept root.
    pub(crate) fn of_kept(root: &KeptRoot, pin: Pin, contents: Arc<Contents>) -> Self {
        Self { _pin: Some(pin), ..Self::new(root.tree, root.hash_seed, contents) }
    }

    /// A state that no pool of this process has, if these blocks can be had. That of an encrypted volume cannot be read so.
    pub fn of_state(state: &State, blocks: Arc<dyn Blocks>) -> Self {
        Self::new(state.tree, state.hash_seed, Arc::new(Contents::plain(blocks)))
    }

    /// The attributes of an inode.
    pub fn attributes(&self, inode: Inode) -> Result<Attributes> {
        self.existing(inode)
    }

    /// The attributes of an inode that must be there.
    pub(crate) fn existing(&self, inode: Inode) -> Result<Attributes> {
        self.layers.attributes(inode)?.ok_or(Error::NotFound)
    }

    /// The attributes of an inode that must be a directory.
    pub(crate) fn directory(&self, inode: Inode) -> Result<Attributes> {
        let attributes = self.existing(inode)?;
        if attributes.is_directory() { Ok(attributes) } else { Err(Error::NotADirectory) }
    }

    /// The attributes of an inode that must be a regular file.
    pub(crate) fn file(&self, inode: Inode) -> Result<Attributes> {
        let attributes = self.existing(inode)?;
        match attributes.kind {
            Kind::File => Ok(attributes),
            Kind::Directory => Err(Error::IsADirectory),
            _ => Err(Error::Invalid("not a regular file")),
        }
    }
}
