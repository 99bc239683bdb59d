//! Makes the nodes of one level from a run of entries, ending each where [`boundary`] says.

use crate::boundary;
use crate::node::{ENTRY_HEADER_BYTES, FORMAT_VERSION, HEADER_BYTES, NO_LINK, OFFSET_BYTES, leaf_entries_of};
use crate::{Entry, Nodes, Result};
use block::{Block, Name};
use bytes::Bytes;

/// A node that was written: what its parent keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) first_key: Bytes,
    pub(crate) name: Name,
    pub(crate) leaf_entries: u64,
}

/// Collects entries in ascending order into nodes.
pub(crate) struct LevelWriter<'a> {
    nodes: &'a Nodes,
    level: u8,
    children: Vec<Child>,
    offsets: Vec<u32>,
    entries: Vec<u8>,
    links: Vec<Name>,
    first_key: Bytes,
    leaf_entries: u64,
}

impl<'a> LevelWriter<'a> {
    pub(crate) fn new(nodes: &'a Nodes, level: u8) -> Self {
        Self {
            nodes,
            level,
            children: Vec::new(),
            offsets: Vec::new(),
            entries: Vec::new(),
            links: Vec::new(),
            first_key: Bytes::new(),
            leaf_entries: 0,
        }
    }

    /// Adds the next entry.
    pub(crate) fn push(&mut self, entry: Entry<'_>) -> Result<()> {
        if self.offsets.is_empty() {
            self.first_key = Bytes::copy_from_slice(entry.key);
        }
        let link = match entry.link {
            Some(name) => {
                self.links.push(name);
                (self.links.len() - 1) as u16
            }
            None => NO_LINK,
        };
        self.offsets.push(self.entries.len() as u32);
        self.entries.extend_from_slice(&(entry.key.len() as u16).to_le_bytes());
        self.entries.extend_from_slice(&(entry.value.len() as u16).to_le_bytes());
        self.entries.extend_from_slice(&link.to_le_bytes());
        self.entries.extend_from_slice(entry.key);
        self.entries.extend_from_slice(entry.value);
        self.leaf_entries += if self.level == 0 { 1 } else { leaf_entries_of(entry.value) };
        if boundary::ends_node(self.node_bytes(), entry_bytes(&entry), entry.key) {
            self.end_node()?;
        }
        Ok(())
    }

    /// Whether the last entry ended a node, so that an old node that starts here can stay as it is.
    pub(crate) fn at_boundary(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Ends the last node and gives all of them, in order.
    pub(crate) fn finish(mut self) -> Result<Vec<Child>> {
        if !self.at_boundary() {
            self.end_node()?;
        }
        Ok(self.children)
    }

    fn node_bytes(&self) -> usize {
        HEADER_BYTES + self.offsets.len() * OFFSET_BYTES + self.entries.len() + self.links.len() * Name::BYTES
    }

    fn end_node(&mut self) -> Result<()> {
        let table_bytes = HEADER_BYTES + self.offsets.len() * OFFSET_BYTES;
        let mut body = Vec::with_capacity(table_bytes + self.entries.len());
        body.extend_from_slice(&[FORMAT_VERSION, self.level, 0, 0]);
        body.extend_from_slice(&(self.offsets.len() as u32).to_le_bytes());
        for offset in self.offsets.drain(..) {
            body.extend_from_slice(&(table_bytes as u32 + offset).to_le_bytes());
        }
        body.append(&mut self.entries);
        let block = Block { links: std::mem::take(&mut self.links), body: body.into() };
        let name = self.nodes.put(block)?;
        let first_key = std::mem::take(&mut self.first_key);
        self.children.push(Child { first_key, name, leaf_entries: std::mem::take(&mut self.leaf_entries) });
        Ok(())
    }
}

/// What an entry adds to its node.
fn entry_bytes(entry: &Entry<'_>) -> usize {
    let link_bytes = if entry.link.is_some() { Name::BYTES } else { 0 };
    OFFSET_BYTES + ENTRY_HEADER_BYTES + entry.key.len() + entry.value.len() + link_bytes
}
