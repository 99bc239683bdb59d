//! Every block of a tree.

use crate::{Result, Tree, cursor};
use block::Name;

/// A block that a walk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visited {
    /// A node of the tree, with its height above the leaves.
    Node {
        /// The node's block.
        name: Name,
        /// 0 for a leaf.
        level: u8,
    },
    /// A block that an entry links to. It is not read.
    Linked {
        /// The block.
        name: Name,
    },
}

impl Tree {
    /// Comes to every block of the tree, parents first. `visit` says of a node whether to go on below it: a caller that has
    /// seen the node before skips all of it. A block that occurs twice is visited twice.
    pub fn walk(&self, visit: &mut dyn FnMut(Visited) -> bool) -> Result<()> {
        let (Some(name), Some(root)) = (self.root(), self.root_node()?) else {
            return Ok(());
        };
        if !visit(Visited::Node { name, level: root.level() }) {
            return Ok(());
        }
        let mut path = vec![(root, 0)];
        while let Some((node, index)) = path.last_mut() {
            if node.level() == 0 {
                node.links().iter().for_each(|name| {
                    visit(Visited::Linked { name: *name });
                });
                path.pop();
            } else if *index == node.len() {
                path.pop();
            } else {
                let (name, level) = (node.child(*index), node.level() - 1);
                *index += 1;
                if visit(Visited::Node { name, level }) {
                    let child = cursor::child(self.nodes(), node, *index - 1)?;
                    path.push((child, 0));
                }
            }
        }
        Ok(())
    }
}
