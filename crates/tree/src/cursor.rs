//! A place at one level of a tree: which node, and the way down to it.

use crate::limits::LEVELS_MAX;
use crate::node::Node;
use crate::{Error, Nodes, Result};
use block::Name;
use bytes::Bytes;
use std::sync::Arc;

/// Stands on a node of one level and moves along that level.
pub(crate) struct LevelCursor<'a> {
    nodes: &'a Nodes,
    /// The way down: each inner node with the entry taken. Empty when the level is the root's.
    path: Vec<(Arc<Node>, usize)>,
    node: Arc<Node>,
}

impl<'a> LevelCursor<'a> {
    /// The node of `level` in which `key` belongs.
    pub(crate) fn seek(nodes: &'a Nodes, root: Arc<Node>, level: u8, key: &[u8]) -> Result<Self> {
        let mut cursor = Self { nodes, path: Vec::new(), node: root };
        while cursor.node.level() > level {
            let index = cursor.node.child_for(key);
            cursor.descend(index)?;
        }
        Ok(cursor)
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The name of the node, as its parent has it. Only below the root.
    pub(crate) fn name(&self) -> Name {
        let (parent, index) = &self.path[self.path.len() - 1];
        parent.child(*index)
    }

    /// The first key of the next node of this level, without reading that node.
    pub(crate) fn next_first_key(&self) -> Option<Bytes> {
        let (parent, index) = self.path.iter().rev().find(|(parent, index)| index + 1 < parent.len())?;
        Some(parent.key_bytes(index + 1))
    }

    /// Moves to the next node of this level; false if this was the last.
    pub(crate) fn next(&mut self) -> Result<bool> {
        let level = self.node.level();
        loop {
            let Some((parent, index)) = self.path.pop() else {
                return Ok(false);
            };
            if index + 1 < parent.len() {
                self.node = parent;
                self.descend(index + 1)?;
                break;
            }
        }
        while self.node.level() > level {
            self.descend(0)?;
        }
        Ok(true)
    }

    fn descend(&mut self, index: usize) -> Result<()> {
        let child = child(self.nodes, &self.node, index)?;
        let parent = std::mem::replace(&mut self.node, child);
        self.path.push((parent, index));
        Ok(())
    }
}

/// Reads the child at an entry of an inner node.
pub(crate) fn child(nodes: &Nodes, parent: &Node, index: usize) -> Result<Arc<Node>> {
    let name = parent.child(index);
    let node = nodes.get(&name)?;
    check_level(&name, &node, parent.level())?;
    Ok(node)
}

/// A child stands exactly one level below its parent: so no walk can go in circles or too deep.
fn check_level(name: &Name, node: &Node, parent_level: u8) -> Result<()> {
    if node.level().checked_add(1) == Some(parent_level) && (parent_level as usize) < LEVELS_MAX {
        return Ok(());
    }
    Err(Error::NotANode { name: *name, reason: "it stands at the wrong level" })
}
