//! A tree as its users see it.

use crate::in_use::InUse;
use crate::node::Node;
use crate::{Edit, Mapped, Nodes, Range, Result, apply, cursor};
use block::Name;
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// An immutable ordered map, named by its root.
#[derive(Clone)]
pub struct Tree {
    nodes: Arc<Nodes>,
    root: Option<Name>,
    #[allow(dead_code, reason = "held, not read")]
    in_use: Option<Arc<InUse>>,
}

impl Tree {
    /// The tree below a root; the empty tree for `None`. Reads nothing yet.
    pub fn new(nodes: Arc<Nodes>, root: Option<Name>) -> Self {
        let in_use = root.map(|root| Arc::new(nodes.in_use().add(root)));
        Self { nodes, root, in_use }
    }

    /// The root's name; `None` if the tree is empty.
    pub fn root(&self) -> Option<Name> {
        self.root
    }

    /// The nodes that this tree is made of, and others.
    pub fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// What a key maps to.
    pub fn get(&self, key: &[u8]) -> Result<Option<Mapped>> {
        let Some(root) = self.root else { return Ok(None) };
        let node = match self.nodes.leaf_at_hand(&root, key) {
            Some(leaf) => leaf,
            None => {
                let mut node = self.nodes.get(&root)?;
                while node.level() > 0 {
                    node = cursor::child(&self.nodes, &node, node.child_for(key))?;
                }
                self.nodes.looked_into(root, node.clone());
                node
            }
        };
        let index = node.lower_bound(key);
        if index == node.len() || node.key(index) != key {
            return Ok(None);
        }
        Ok(Some((node.value(index), node.entry(index).link)))
    }

    /// The last entry whose key is not above this one.
    pub fn floor(&self, key: &[u8]) -> Result<Option<(Bytes, Mapped)>> {
        let Some(mut node) = self.root_node()? else {
            return Ok(None);
        };
        while node.level() > 0 {
            node = cursor::child(&self.nodes, &node, node.child_for(key))?;
        }
        let behind = node.lower_bound(key);
        let is_here = behind < node.len() && node.key(behind) == key;
        let index = if is_here { Some(behind) } else { behind.checked_sub(1) };
        Ok(index.map(|index| (node.key_bytes(index), (node.value(index), node.entry(index).link))))
    }

    /// The entries from `from` up to the bound, in order.
    pub fn range(&self, from: &[u8], to: Bound<&[u8]>) -> Result<Range> {
        Range::new(self, from, to)
    }

    /// How many entries the tree has. Reads the root only.
    pub fn len(&self) -> Result<u64> {
        Ok(self.root_node()?.map_or(0, |root| root.leaf_entries()))
    }

    /// Whether the tree has no entry.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The tree after a batch (see [`Edit`] for its order). Costs what the batch touches: untouched nodes are shared.
    pub fn apply(&self, edits: Vec<Edit>) -> Result<Tree> {
        let root = apply::apply(&self.nodes, self.root, edits)?;
        Ok(Tree::new(self.nodes.clone(), root))
    }

    pub(crate) fn root_node(&self) -> Result<Option<Arc<Node>>> {
        self.root.map(|name| self.nodes.get(&name)).transpose()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Tree").field(&self.root).finish()
    }
}
