//! Applies a sorted batch to a tree, one level after another from the leaves up.
//!
//! At each level, only the nodes that edits fall into are read and written again; writing goes on past them until a new node
//! ends where an old one did. What changed at one level (old nodes gone, new ones in their place) is the batch for the level
//! above. Above the old root, levels are added until one node is left; below it, roots with a single child are dropped.

use crate::cursor::{self, LevelCursor};
use crate::edit::{self, Edit};
use crate::node::Node;
use crate::writer::{Child, LevelWriter};
use crate::{Entry, Nodes, Result};
use block::Name;
use bytes::Bytes;
use std::iter::Peekable;
use std::slice;
use std::sync::Arc;

type Edits<'a> = Peekable<slice::Iter<'a, Edit>>;

/// The root of the tree below `root` after the batch.
pub(crate) fn apply(nodes: &Nodes, root: Option<Name>, mut edits: Vec<Edit>) -> Result<Option<Name>> {
    edit::check(&edits)?;
    let node = root.map(|name| nodes.get(&name)).transpose()?;
    let top = node.as_ref().map_or(0, |node| node.level());
    if let Some(node) = &node {
        for level in 0..top {
            edits = apply_below_root(nodes, node, level, &edits)?;
        }
    }
    if edits.is_empty() {
        return Ok(root);
    }
    let mut writer = LevelWriter::new(nodes, top);
    merge(node.as_deref(), &mut edits.iter().peekable(), None, &mut None, &mut writer)?;
    grow(nodes, top, writer.finish()?)
}

/// Adds levels until one node is left, and drops roots that have but one child.
fn grow(nodes: &Nodes, mut level: u8, mut children: Vec<Child>) -> Result<Option<Name>> {
    while children.len() > 1 {
        level += 1;
        let mut writer = LevelWriter::new(nodes, level);
        for child in &children {
            let value = child.leaf_entries.to_le_bytes();
            writer.push(Entry { key: &child.first_key, value: &value, link: Some(child.name) })?;
        }
        children = writer.finish()?;
    }
    let Some(Child { mut name, .. }) = children.pop() else {
        return Ok(None);
    };
    let mut node = nodes.get(&name)?;
    while node.level() > 0 && node.len() == 1 {
        name = node.child(0);
        node = cursor::child(nodes, &node, 0)?;
    }
    Ok(Some(name))
}

/// Applies edits to a level below the root; gives the edits for the level above.
fn apply_below_root(nodes: &Nodes, root: &Arc<Node>, level: u8, edits: &[Edit]) -> Result<Vec<Edit>> {
    let mut above = Vec::new();
    let mut edits = edits.iter().peekable();
    while let Some(first) = edits.peek() {
        let cursor = LevelCursor::seek(nodes, root.clone(), level, first.position())?;
        rewrite_run(nodes, root, level, cursor, &mut edits)?.append_edits(&mut above);
    }
    Ok(above)
}

/// Consecutive old nodes of a level, and the nodes that stand in their place.
struct Run {
    /// First keys and names of the old nodes that were read.
    gone: Vec<(Bytes, Name)>,
    /// Old nodes that a clear covers whole, so that they were not read: from the first key of the first to that of the next
    /// node that stays.
    skipped: Vec<(Bytes, Bytes)>,
    /// What stands there now.
    new: Vec<Child>,
}

/// Rewrites nodes from the cursor on until a new node ends together with an old one.
fn rewrite_run<'a>(
    nodes: &'a Nodes,
    root: &Arc<Node>,
    level: u8,
    mut cursor: LevelCursor<'a>,
    edits: &mut Edits<'_>,
) -> Result<Run> {
    let (mut gone, mut skipped) = (Vec::new(), Vec::new());
    let mut writer = LevelWriter::new(nodes, level);
    let mut cleared_to = None;
    loop {
        let node = cursor.node().clone();
        gone.push((node.key_bytes(0), cursor.name()));
        let next = cursor.next_first_key();
        merge(Some(&node), edits, next.as_deref(), &mut cleared_to, &mut writer)?;
        let Some(next) = next else { break };
        if let Some(to) = cleared_to.as_ref().filter(|to| **to > next) {
            cursor = LevelCursor::seek(nodes, root.clone(), level, to)?;
            let kept = cursor.node().key_bytes(0);
            if kept > next {
                skipped.push((next, kept));
            }
            continue;
        }
        if writer.at_boundary() {
            break;
        }
        cursor.next()?;
    }
    Ok(Run { gone, skipped, new: writer.finish()? })
}

impl Run {
    /// Adds what the level above has to change. A node that came out as it was is no change.
    fn append_edits(mut self, above: &mut Vec<Edit>) {
        let start = above.len();
        let mut gone = self.gone.drain(..).peekable();
        for child in self.new.drain(..) {
            while let Some((key, _)) = gone.next_if(|(key, _)| *key < child.first_key) {
                above.push(Edit::Delete { key });
            }
            if let Some((_, name)) = gone.next_if(|(key, _)| *key == child.first_key)
                && name == child.name
            {
                continue;
            }
            let value = Bytes::copy_from_slice(&child.leaf_entries.to_le_bytes());
            above.push(Edit::Put { key: child.first_key, value, link: Some(child.name) });
        }
        above.extend(gone.map(|(key, _)| Edit::Delete { key }));
        above.extend(self.skipped.drain(..).map(|(from, to)| Edit::Clear { from, to }));
        above[start..].sort_by(|a, b| {
            let clear_first = |edit: &Edit| !matches!(edit, Edit::Clear { .. });
            a.position().cmp(b.position()).then(clear_first(a).cmp(&clear_first(b)))
        });
    }
}

/// Writes a node's entries together with the edits before `until`. `cleared_to` carries a clear on into the next node.
fn merge(
    node: Option<&Node>,
    edits: &mut Edits<'_>,
    until: Option<&[u8]>,
    cleared_to: &mut Option<Bytes>,
    writer: &mut LevelWriter<'_>,
) -> Result<()> {
    let mut index = 0;
    loop {
        let old = node.filter(|node| index < node.len()).map(|node| node.entry(index));
        let edit = edits.peek().copied().filter(|edit| until.is_none_or(|until| edit.position() < until));
        match (old, edit) {
            (None, None) => return Ok(()),
            (Some(old), edit) if edit.is_none_or(|edit| old.key < edit.position()) => {
                index += 1;
                if cleared_to.as_ref().is_none_or(|to| old.key >= &to[..]) {
                    writer.push(old)?;
                }
            }
            (old, Some(edit)) => {
                edits.next();
                let same_key = old.is_some_and(|old| old.key == edit.position());
                match edit {
                    Edit::Clear { to, .. } => *cleared_to = Some(to.clone()),
                    Edit::Put { .. } | Edit::Delete { .. } if same_key => index += 1,
                    Edit::Put { .. } | Edit::Delete { .. } => {}
                }
                if let Edit::Put { key, value, link } = edit {
                    writer.push(Entry { key, value, link: *link })?;
                }
            }
            (Some(_), None) => unreachable!("the guard above takes an old entry when there is no edit"),
        }
    }
}
