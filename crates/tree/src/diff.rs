//! What differs between two trees.
//!
//! Both are walked in key order at once. A subtree that stands in both under the same name is skipped unread, so the cost
//! follows the difference, not the size. Because shape follows content, equal runs of entries are in equal nodes but for those
//! that touch a difference.

use crate::node::Node;
use crate::{Result, Tree, cursor};
use block::Name;
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a key maps to: a value, and the block it refers to.
pub type Mapped = (Bytes, Option<Name>);

/// A key that two trees map to different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: Bytes,
    /// What it maps to in the first tree.
    pub before: Option<Mapped>,
    /// What it maps to in the second tree.
    pub after: Option<Mapped>,
}

impl Tree {
    /// Calls `visit` for every key that `after` maps differently, in key order, until it breaks off.
    pub fn diff(&self, after: &Tree, visit: &mut dyn FnMut(Difference) -> ControlFlow<()>) -> Result<()> {
        let (mut a, mut b) = (Side::new(self)?, Side::new(after)?);
        loop {
            let difference = match step(&a.peek(), &b.peek()) {
                Step::End => return Ok(()),
                Step::SkipBoth => {
                    a.skip();
                    b.skip();
                    None
                }
                Step::DescendFirst => {
                    a.descend()?;
                    None
                }
                Step::DescendSecond => {
                    b.descend()?;
                    None
                }
                Step::Compare(Ordering::Less) => Some(Difference { key: a.key(), before: a.take(), after: None }),
                Step::Compare(Ordering::Greater) => Some(Difference { key: b.key(), before: None, after: b.take() }),
                Step::Compare(Ordering::Equal) => {
                    let key = a.key();
                    let (before, after) = (a.take(), b.take());
                    (before != after).then_some(Difference { key, before, after })
                }
            };
            if difference.is_some_and(|difference| visit(difference).is_break()) {
                return Ok(());
            }
        }
    }
}

impl Tree {
    /// Calls `visit` for every block of which `after` has more places or fewer: its nodes, and what its entries link to. A block may
    /// be told of several times; the sum of it counts.
    pub fn diff_blocks(&self, after: &Tree, visit: &mut dyn FnMut(Name, i64) -> block::Result<()>) -> Result<()> {
        let (mut a, mut b) = (Side::new(self)?, Side::new(after)?);
        loop {
            match step(&a.peek(), &b.peek()) {
                Step::End => return Ok(()),
                Step::SkipBoth => {
                    a.skip();
                    b.skip();
                }
                Step::DescendFirst => {
                    a.subtree().map_or(Ok(()), |name| visit(name, -1))?;
                    a.descend()?;
                }
                Step::DescendSecond => {
                    b.subtree().map_or(Ok(()), |name| visit(name, 1))?;
                    b.descend()?;
                }
                Step::Compare(Ordering::Less) => a.take_link().map_or(Ok(()), |name| visit(name, -1))?,
                Step::Compare(Ordering::Greater) => b.take_link().map_or(Ok(()), |name| visit(name, 1))?,
                Step::Compare(Ordering::Equal) => {
                    let (before, after) = (a.take_link(), b.take_link());
                    if before != after {
                        before.map_or(Ok(()), |name| visit(name, -1))?;
                        after.map_or(Ok(()), |name| visit(name, 1))?;
                    }
                }
            }
        }
    }
}

enum Step {
    End,
    SkipBoth,
    DescendFirst,
    DescendSecond,
    /// Both stand on leaf entries (or one at its end): the smaller key is in that tree alone.
    Compare(Ordering),
}

fn step(a: &Place<'_>, b: &Place<'_>) -> Step {
    match (a, b) {
        (Place::End, Place::End) => Step::End,
        (Place::Subtree { name: a, .. }, Place::Subtree { name: b, .. }) if a == b => Step::SkipBoth,
        (Place::Subtree { level: la, key: ka, .. }, Place::Subtree { level: lb, key: kb, .. }) => {
            match la.cmp(lb).then_with(|| kb.cmp(ka)) {
                Ordering::Less => Step::DescendSecond,
                _ => Step::DescendFirst,
            }
        }
        (Place::Subtree { key: ka, .. }, Place::Entry { key: kb }) if ka > kb => Step::Compare(Ordering::Greater),
        (Place::Entry { key: ka }, Place::Subtree { key: kb, .. }) if kb > ka => Step::Compare(Ordering::Less),
        (Place::Subtree { .. }, _) => Step::DescendFirst,
        (_, Place::Subtree { .. }) => Step::DescendSecond,
        (Place::Entry { key: ka }, Place::Entry { key: kb }) => Step::Compare(ka.cmp(kb)),
        (Place::Entry { .. }, Place::End) => Step::Compare(Ordering::Less),
        (Place::End, Place::Entry { .. }) => Step::Compare(Ordering::Greater),
    }
}

/// Where one side of the walk stands.
enum Place<'a> {
    Subtree { key: &'a [u8], name: Name, level: u8 },
    Entry { key: &'a [u8] },
    End,
}

struct Side {
    tree: Tree,
    /// The root, until the walk has gone below it.
    root: Option<(Name, Arc<Node>)>,
    path: Vec<(Arc<Node>, usize)>,
}

impl Side {
    fn new(tree: &Tree) -> Result<Self> {
        let root = tree.root().zip(tree.root_node()?);
        Ok(Self { tree: tree.clone(), root, path: Vec::new() })
    }

    fn peek(&self) -> Place<'_> {
        if let Some((name, node)) = &self.root {
            return Place::Subtree { key: node.key(0), name: *name, level: node.level() };
        }
        match self.path.last() {
            None => Place::End,
            Some((node, index)) if node.level() == 0 => Place::Entry { key: node.key(*index) },
            Some((node, index)) => {
                Place::Subtree { key: node.key(*index), name: node.child(*index), level: node.level() - 1 }
            }
        }
    }

    fn key(&self) -> Bytes {
        let (node, index) = &self.path[self.path.len() - 1];
        node.key_bytes(*index)
    }

    /// The entry stood on; moves behind it.
    fn take(&mut self) -> Option<Mapped> {
        let (node, index) = &self.path[self.path.len() - 1];
        let mapped = (node.value(*index), node.entry(*index).link);
        self.skip();
        Some(mapped)
    }

    /// What the entry stood on links to; moves behind it.
    fn take_link(&mut self) -> Option<Name> {
        self.take().and_then(|(_, link)| link)
    }

    /// The subtree stood on.
    fn subtree(&self) -> Option<Name> {
        match self.peek() {
            Place::Subtree { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Moves behind what is stood on.
    fn skip(&mut self) {
        if self.root.take().is_some() {
            return;
        }
        while let Some((node, index)) = self.path.last_mut() {
            *index += 1;
            if *index < node.len() {
                return;
            }
            self.path.pop();
        }
    }

    /// Goes to the first child of the subtree stood on.
    fn descend(&mut self) -> Result<()> {
        let node = match self.root.take() {
            Some((_, root)) => root,
            None => {
                let (parent, index) = &self.path[self.path.len() - 1];
                cursor::child(self.tree.nodes(), parent, *index)?
            }
        };
        self.path.push((node, 0));
        Ok(())
    }
}
