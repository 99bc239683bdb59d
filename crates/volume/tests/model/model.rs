//! A file system that is obviously right: plain maps, no caches, no disk.

use std::collections::BTreeMap;
use volume::{Error, Inode, Kind, RenameMode};

pub(crate) type Errno = i32;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) permissions: u32,
    pub(crate) links: u32,
    pub(crate) content: Vec<u8>,
    pub(crate) entries: BTreeMap<Vec<u8>, u64>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Inodes by number; the numbers are those that the volume gives.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The directory in which everything happens.
    pub(crate) top: u64,
    pub(crate) nodes: BTreeMap<u64, Node>,
}

impl Node {
    fn new(kind: Kind, permissions: u32) -> Self {
        let links = if kind == Kind::Directory { 2 } else { 1 };
        Self { kind, permissions, links, content: Vec::new(), entries: BTreeMap::new(), xattrs: BTreeMap::new() }
    }

    fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

impl Model {
    pub(crate) fn new(top: Inode) -> Self {
        Self { top: top.0, nodes: BTreeMap::from([(top.0, Node::new(Kind::Directory, 0o755))]) }
    }

    pub(crate) fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<u64> {
        self.nodes.iter().filter(|(_, node)| wanted(node.kind)).map(|(inode, _)| *inode).collect()
    }

    fn node(&mut self, inode: u64) -> &mut Node {
        self.nodes.get_mut(&inode).expect("the workload names inodes that are there")
    }

    /// Checks what `make` checks; the inode's number comes from the volume.
    pub(crate) fn may_make(&self, directory: u64, name: &[u8]) -> Result<(), Errno> {
        if self.nodes[&directory].entries.contains_key(name) { Err(libc_errno(Error::Exists)) } else { Ok(()) }
    }

    pub(crate) fn make(
        &mut self,
        directory: u64,
        name: &[u8],
        inode: u64,
        kind: Kind,
        permissions: u32,
        content: &[u8],
    ) {
        self.node(directory).entries.insert(name.into(), inode);
        self.node(directory).links += (kind == Kind::Directory) as u32;
        let node = Node { content: content.into(), ..Node::new(kind, permissions) };
        assert!(self.nodes.insert(inode, node).is_none(), "inode {inode} was given twice");
    }

    pub(crate) fn link(&mut self, inode: u64, directory: u64, name: &[u8]) -> Result<(), Errno> {
        if self.nodes[&inode].is_directory() {
            return Err(libc_errno(Error::NotPermitted("")));
        }
        self.may_make(directory, name)?;
        self.node(inode).links += 1;
        self.node(directory).entries.insert(name.into(), inode);
        Ok(())
    }

    pub(crate) fn remove(&mut self, directory: u64, name: &[u8], wants_directory: bool) -> Result<(), Errno> {
        let inode = *self.nodes[&directory].entries.get(name).ok_or(libc_errno(Error::NotFound))?;
        let node = &self.nodes[&inode];
        match (wants_directory, node.is_directory()) {
            (true, false) => return Err(libc_errno(Error::NotADirectory)),
            (false, true) => return Err(libc_errno(Error::IsADirectory)),
            (true, true) if !node.entries.is_empty() => return Err(libc_errno(Error::NotEmpty)),
            _ => {}
        }
        self.node(directory).links -= wants_directory as u32;
        self.node(directory).entries.remove(name);
        self.unlinked(inode);
        Ok(())
    }

    fn unlinked(&mut self, inode: u64) {
        let node = self.node(inode);
        node.links = if node.is_directory() { 0 } else { node.links - 1 };
        if node.links == 0 {
            self.nodes.remove(&inode);
        }
    }

    fn is_below(&self, inode: u64, ancestor: u64) -> bool {
        inode == ancestor || self.nodes[&ancestor].entries.values().any(|child| self.is_below(inode, *child))
    }

    pub(crate) fn rename(
        &mut self,
        (from, name): (u64, &[u8]),
        (to, new_name): (u64, &[u8]),
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let source = *self.nodes[&from].entries.get(name).ok_or(libc_errno(Error::NotFound))?;
        let target = self.nodes[&to].entries.get(new_name).copied();
        if self.is_below(to, source) {
            return Err(libc_errno(Error::Invalid("")));
        }
        match (mode, target) {
            (RenameMode::NoReplace, Some(_)) => return Err(libc_errno(Error::Exists)),
            (RenameMode::Exchange, None) => return Err(libc_errno(Error::NotFound)),
            (RenameMode::Exchange, Some(target)) => {
                if self.is_below(from, target) {
                    return Err(libc_errno(Error::Invalid("")));
                }
                let (one, other) = (self.nodes[&source].is_directory(), self.nodes[&target].is_directory());
                self.node(from).links = self.node(from).links - one as u32 + other as u32;
                self.node(to).links = self.node(to).links - other as u32 + one as u32;
                self.node(from).entries.insert(name.into(), target);
                self.node(to).entries.insert(new_name.into(), source);
                return Ok(());
            }
            (_, Some(target)) if target == source => return Ok(()),
            (_, Some(target)) => {
                match (self.nodes[&source].is_directory(), self.nodes[&target].is_directory()) {
                    (true, false) => return Err(libc_errno(Error::NotADirectory)),
                    (false, true) => return Err(libc_errno(Error::IsADirectory)),
                    (true, true) if !self.nodes[&target].entries.is_empty() => {
                        return Err(libc_errno(Error::NotEmpty));
                    }
                    _ => {}
                }
                self.node(to).links -= self.nodes[&target].is_directory() as u32;
                self.unlinked(target);
            }
            _ => {}
        }
        let moves_directory = self.nodes[&source].is_directory() as u32;
        self.node(from).entries.remove(name);
        self.node(from).links -= moves_directory;
        self.node(to).entries.insert(new_name.into(), source);
        self.node(to).links += moves_directory;
        Ok(())
    }

    pub(crate) fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) {
        let content = &mut self.node(inode).content;
        content.resize(content.len().max(offset + bytes.len()), 0);
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn copy(
        &mut self,
        (from, from_offset): (u64, usize),
        (to, to_offset): (u64, usize),
        length: usize,
    ) -> Result<usize, Errno> {
        let bytes = self.nodes[&from].content.get(from_offset..).unwrap_or_default();
        let bytes = bytes[..bytes.len().min(length)].to_vec();
        if from == to && from_offset < to_offset + bytes.len() && to_offset < from_offset + bytes.len() {
            return Err(libc_errno(Error::Invalid("")));
        }
        if !bytes.is_empty() {
            self.write(to, to_offset, &bytes);
        }
        Ok(bytes.len())
    }

    pub(crate) fn truncate(&mut self, inode: u64, size: usize) {
        self.node(inode).content.resize(size, 0);
    }

    pub(crate) fn extend(&mut self, inode: u64, size: usize) {
        let content = &mut self.node(inode).content;
        content.resize(content.len().max(size), 0);
    }

    pub(crate) fn punch(&mut self, inode: u64, offset: usize, length: usize) {
        let content = &mut self.node(inode).content;
        let end = (offset + length).min(content.len());
        if offset < end {
            content[offset..end].fill(0);
        }
    }

    pub(crate) fn set_permissions(&mut self, inode: u64, permissions: u32) {
        self.node(inode).permissions = permissions;
    }

    pub(crate) fn set_xattr(&mut self, inode: u64, name: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
        match value {
            Some(value) => drop(self.node(inode).xattrs.insert(name.into(), value.into())),
            None => drop(self.node(inode).xattrs.remove(name).ok_or(libc_errno(Error::NoAttribute))?),
        }
        Ok(())
    }

    /// Everything that a user can see, as lines.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.dump_below(self.top, String::new(), &mut lines);
        lines
    }

    fn dump_below(&self, inode: u64, path: String, lines: &mut Vec<String>) {
        let node = &self.nodes[&inode];
        let size = if node.is_directory() { node.entries.len() } else { node.content.len() };
        lines.push(line(
            &path,
            inode,
            node.kind,
            node.permissions,
            node.links,
            size as u64,
            &node.content,
            &node.xattrs,
        ));
        for (name, child) in &node.entries {
            self.dump_below(*child, format!("{path}/{}", String::from_utf8_lossy(name)), lines);
        }
    }
}

pub(crate) fn libc_errno(error: Error) -> Errno {
    error.errno()
}

/// One inode in a dump.
#[allow(clippy::too_many_arguments)]
pub(crate) fn line(
    path: &str,
    inode: u64,
    kind: Kind,
    permissions: u32,
    links: u32,
    size: u64,
    content: &[u8],
    xattrs: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> String {
    let digest = block::Block::data(bytes::Bytes::copy_from_slice(content)).name();
    let xattrs: Vec<_> = xattrs.iter().map(|(name, value)| format!("{name:?}={}", value.len())).collect();
    format!("{path} #{inode} {kind:?} {permissions:o} links {links} size {size} {digest:?} {xattrs:?}")
}
