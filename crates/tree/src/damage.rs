//! Walking a tree of which blocks are lost: what each of them held, and what can still be read.

use crate::limits::SOUND_NODES_MAX;
use crate::node::Node;
use crate::{Entry, Error, Result, Tree, cursor};
use block::Name;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

/// What a tree lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The block that an entry links to.
    Linked {
        /// The entry's key.
        key: Bytes,
        /// The block.
        name: Name,
    },
    /// A node, and with it all entries between two keys.
    Node {
        /// The node's block.
        name: Name,
        /// No entry below it has a smaller key.
        from: Bytes,
        /// Every entry below it has a smaller key; `None` at the end of the tree.
        to: Option<Bytes>,
    },
}

impl Tree {
    /// Shows what the tree lacks. `is_lost` says it of a block; a node that cannot be read is lost as well. Of nodes in `sound` is
    /// known that nothing below them is lacking; those that turn out so are added.
    pub fn lacks(
        &self,
        is_lost: &dyn Fn(&Name) -> bool,
        sound: &mut HashSet<Name>,
        visit: &mut dyn FnMut(Lack),
    ) -> Result<()> {
        let Some(name) = self.root() else { return Ok(()) };
        let root = || self.root_node().map(|root| root.expect("a tree that has a root has its node"));
        Search { tree: self, is_lost, sound, visit }.below(name, &root, Bytes::new(), None).map(drop)
    }

    /// Shows every entry that can be read.
    pub fn readable(&self, visit: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        match unless_lost(self.root_node())?.flatten() {
            Some(root) => self.readable_below(&root, visit),
            None => Ok(()),
        }
    }

    fn readable_below(&self, node: &Node, visit: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        for index in 0..node.len() {
            if node.level() == 0 {
                visit(node.entry(index));
            } else if let Some(child) = unless_lost(cursor::child(self.nodes(), node, index))? {
                self.readable_below(&child, visit)?;
            }
        }
        Ok(())
    }
}

struct Search<'a> {
    tree: &'a Tree,
    is_lost: &'a dyn Fn(&Name) -> bool,
    sound: &'a mut HashSet<Name>,
    visit: &'a mut dyn FnMut(Lack),
}

impl Search<'_> {
    /// Searches a node and what is below it; true if nothing is lacking.
    fn below(
        &mut self,
        name: Name,
        read: &dyn Fn() -> Result<Arc<Node>>,
        from: Bytes,
        to: Option<Bytes>,
    ) -> Result<bool> {
        if self.sound.contains(&name) {
            return Ok(true);
        }
        let node = if (self.is_lost)(&name) { None } else { unless_lost(read())? };
        let Some(node) = node else {
            (self.visit)(Lack::Node { name, from, to });
            return Ok(false);
        };
        let is_sound = if node.level() == 0 { self.leaf(&node) } else { self.children(&node, from, to)? };
        if is_sound && self.sound.len() < SOUND_NODES_MAX {
            self.sound.insert(name);
        }
        Ok(is_sound)
    }

    fn leaf(&mut self, leaf: &Node) -> bool {
        let links = (0..leaf.len()).filter_map(|index| leaf.entry(index).link.map(|link| (index, link)));
        let lost: Vec<_> = links.filter(|(_, name)| (self.is_lost)(name)).collect();
        lost.iter().for_each(|(index, name)| {
            (self.visit)(Lack::Linked { key: leaf.key_bytes(*index), name: *name });
        });
        lost.is_empty()
    }

    fn children(&mut self, node: &Node, from: Bytes, to: Option<Bytes>) -> Result<bool> {
        let mut is_sound = true;
        for index in 0..node.len() {
            let from = if index == 0 { from.clone() } else { node.key_bytes(index) };
            let to = if index + 1 < node.len() { Some(node.key_bytes(index + 1)) } else { to.clone() };
            let tree = self.tree;
            let read = || cursor::child(tree.nodes(), node, index);
            is_sound &= self.below(node.child(index), &read, from, to)?;
        }
        Ok(is_sound)
    }
}

/// `None` for a node that is damaged or missing. Other failures say nothing about the node.
fn unless_lost<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(node) => Ok(Some(node)),
        Err(
            Error::NotANode { .. }
            | Error::Block(block::Error::Corrupt { .. } | block::Error::Missing { .. } | block::Error::Disk { .. }),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}
