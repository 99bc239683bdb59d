//! The entries of a tree between two keys.

use crate::node::Node;
use crate::{Result, Tree, cursor};
use block::Name;
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// Walks leaf entries in order, reading one leaf at a time.
pub struct Range {
    tree: Tree,
    /// The way down to the leaf: each inner node with the entry taken.
    path: Vec<(Arc<Node>, usize)>,
    leaf: Option<Arc<Node>>,
    index: usize,
    end: Bound<Bytes>,
}

impl Range {
    pub(crate) fn new(tree: &Tree, from: &[u8], to: Bound<&[u8]>) -> Result<Self> {
        let end = to.map(Bytes::copy_from_slice);
        let mut range = Self { tree: tree.clone(), path: Vec::new(), leaf: None, index: 0, end };
        let Some(mut node) = tree.root_node()? else {
            return Ok(range);
        };
        while node.level() > 0 {
            let index = node.child_for(from);
            let child = cursor::child(tree.nodes(), &node, index)?;
            range.path.push((node, index));
            node = child;
        }
        range.index = node.lower_bound(from);
        range.leaf = Some(node);
        Ok(range)
    }

    fn advance_leaf(&mut self) -> Result<()> {
        self.leaf = None;
        self.index = 0;
        let Some(depth) = self.path.iter().rposition(|(node, index)| index + 1 < node.len()) else {
            return Ok(());
        };
        self.path.truncate(depth + 1);
        self.path[depth].1 += 1;
        loop {
            let (parent, index) = &self.path[self.path.len() - 1];
            let child = cursor::child(self.tree.nodes(), parent, *index)?;
            if child.level() == 0 {
                self.leaf = Some(child);
                return Ok(());
            }
            self.path.push((child, 0));
        }
    }

    fn is_past_end(&self, key: &[u8]) -> bool {
        match &self.end {
            Bound::Included(end) => key > &end[..],
            Bound::Excluded(end) => key >= &end[..],
            Bound::Unbounded => false,
        }
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes, Option<Name>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let leaf = self.leaf.clone()?;
            if self.index < leaf.len() {
                let index = self.index;
                self.index += 1;
                if self.is_past_end(leaf.key(index)) {
                    self.leaf = None;
                    return None;
                }
                return Some(Ok((leaf.key_bytes(index), leaf.value(index), leaf.entry(index).link)));
            }
            if let Err(error) = self.advance_leaf() {
                return Some(Err(error));
            }
        }
    }
}
