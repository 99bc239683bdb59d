//! Seeded operations, done to a volume and to the model, with equal results.

use crate::model::{Errno, Model, line};
use block::{Block, Name};
use sim::Random;
use std::collections::BTreeMap;
use volume::{
    AttributeChanges, Creator, Error, FilePoint, Inode, Kind, NewInode, Privileges, RenameMode, ReserveSize, Result,
    View, Volume, XattrMode,
};

const CREATOR: Creator = Creator { uid: 1, gid: 1 };

/// How large files become, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 700 << 10;

pub(crate) struct Workload {
    pub(crate) random: Random,
    pub(crate) model: Model,
    /// Longest write and offset, so that crash tests stay small.
    pub(crate) file_bytes: u64,
    /// What a user saw after each operation, if somebody wants to know: a step may have several.
    pub(crate) states: Option<Vec<Name>>,
}

impl Workload {
    pub(crate) fn new(top: Inode, seed: u64, file_bytes: u64) -> Self {
        Self { random: Random::new(seed), model: Model::new(top), file_bytes, states: None }
    }

    /// Takes note of what a user sees now.
    pub(crate) fn note(&mut self) {
        if let Some(states) = &mut self.states {
            states.push(digest(&self.model.dump()));
        }
    }

    fn pick(&mut self, from: &[u64]) -> Option<Inode> {
        let index = self.random.below(from.len().max(1) as u64) as usize;
        from.get(index).copied().map(Inode)
    }

    fn name(&mut self) -> Vec<u8> {
        format!("name{}", self.random.below(12)).into_bytes()
    }

    fn a_directory(&mut self) -> Inode {
        let all = self.model.of_kind(|kind| kind == Kind::Directory);
        self.pick(&all).expect("the top directory is there")
    }

    fn a_file(&mut self) -> Option<Inode> {
        let all = self.model.of_kind(|kind| kind == Kind::File);
        self.pick(&all)
    }

    fn an_inode(&mut self) -> Inode {
        let all = self.model.of_kind(|_| true);
        self.pick(&all).expect("the top directory is there")
    }

    fn offset(&mut self) -> u64 {
        match self.random.below(4) {
            0 => 0,
            1 => self.random.below(5000.min(self.file_bytes)),
            2 => self.random.below(self.file_bytes) & !4095,
            _ => self.random.below(self.file_bytes),
        }
    }

    fn length(&mut self) -> u64 {
        match self.random.below(3) {
            0 => 1 + self.random.below(300),
            1 => 1 + self.random.below(6000.min(self.file_bytes)),
            _ => 1 + self.random.below(self.file_bytes / 3),
        }
    }

    /// Does one operation. An error of the disk ends the workload; any other result must be the model's.
    pub(crate) fn step(&mut self, volume: &Volume) -> Result<()> {
        match self.random.below(22) {
            0..=3 => self.make(volume),
            4..=8 => self.write(volume),
            9 => self.truncate(volume),
            10 if self.random.percent(30) => self.reserve(volume),
            10 if self.random.percent(40) => self.zero(volume),
            10 => self.punch(volume),
            11 if self.random.percent(30) => self.make_unnamed(volume),
            11 => self.link(volume),
            12 | 13 => self.remove(volume),
            14 | 15 => self.rename(volume),
            16 => self.set_permissions(volume),
            17 => self.set_xattr(volume),
            18 => self.read(volume),
            20 | 21 => self.clone_range(volume),
            _ => self.append(volume),
        }
    }

    fn make(&mut self, volume: &Volume) -> Result<()> {
        let (directory, name) = (self.a_directory(), self.name());
        let target = b"some/where".as_slice();
        let new = match self.random.below(6) {
            0 | 1 => NewInode::Directory,
            2 => NewInode::Symlink(target),
            _ => NewInode::File,
        };
        let made = volume.make(directory, &name, new, 0o640, CREATOR);
        if !agree(self.model.may_make(directory.0, &name), made.as_ref().map(|_| ()))? {
            return Ok(());
        }
        let (inode, attributes) = made?;
        let content = if attributes.kind == Kind::Symlink { target } else { b"" };
        self.model.make(directory.0, &name, inode.0, attributes.kind, attributes.permissions, content);
        Ok(())
    }

    fn write_at(&mut self, volume: &Volume, file: Inode, offset: u64, length: u64) -> Result<()> {
        let bytes = self.random.bytes(length as usize);
        volume.write(file, offset, &bytes, Privileges::Keep)?;
        self.model.write(file.0, offset as usize, &bytes);
        self.note();
        Ok(())
    }

    fn write(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        let (offset, length) = (self.offset(), self.length());
        self.write_at(volume, file, offset, length)
    }

    fn append(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        for _ in 0..1 + self.random.below(5) {
            let end = self.model.nodes[&file.0].content.len() as u64;
            let length = 1 + self.random.below(9000.min(self.file_bytes));
            if end + length < 2 * self.file_bytes {
                self.write_at(volume, file, end, length)?;
            }
        }
        Ok(())
    }

    fn truncate(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        let size = self.offset();
        volume.set_attributes(file, &AttributeChanges { size: Some(size), ..Default::default() })?;
        self.model.truncate(file.0, size as usize);
        Ok(())
    }

    fn punch(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        let (offset, length) = (self.offset(), self.length());
        assert_eq!(volume.punch(file, offset, length)?, length, "there are too few extents for a second step");
        self.model.punch(file.0, offset as usize, length as usize);
        Ok(())
    }

    fn reserve(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        let (offset, length, extends) = (self.offset(), self.length(), self.random.percent(50));
        assert_eq!(volume.reserve(file, offset, length, reserve_size(extends))?, length);
        if extends {
            self.model.extend(file.0, (offset + length) as usize);
        }
        Ok(())
    }

    fn zero(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        let (offset, length, extends) = (self.offset(), self.length(), self.random.percent(50));
        assert_eq!(volume.zero(file, offset, length, reserve_size(extends))?, length);
        if extends {
            self.model.extend(file.0, (offset + length) as usize);
        }
        self.model.punch(file.0, offset as usize, length as usize);
        Ok(())
    }

    fn clone_range(&mut self, volume: &Volume) -> Result<()> {
        let (Some(from), Some(to)) = (self.a_file(), self.a_file()) else { return Ok(()) };
        let (from_offset, to_offset, length) = (self.offset(), self.offset(), self.length());
        let source = FilePoint { inode: from, offset: from_offset };
        let target = FilePoint { inode: to, offset: to_offset };
        let result = volume.clone_range(source, target, length, Privileges::Keep);
        let mut model = self.model.clone();
        let expected = model.copy((from.0, from_offset as usize), (to.0, to_offset as usize), length as usize);
        if agree(expected.map(|_| ()), result.as_ref().map(|_| ()))? {
            assert_eq!(result?, expected.unwrap_or_default() as u64, "files here have few extents");
            self.model = model;
        }
        Ok(())
    }

    fn link(&mut self, volume: &Volume) -> Result<()> {
        let (inode, directory, name) = (self.an_inode(), self.a_directory(), self.name());
        let result = volume.link(inode, directory, &name);
        agree(self.model.clone().link(inode.0, directory.0, &name), result.as_ref().map(|_| ()))?;
        result.is_ok().then(|| self.model.link(inode.0, directory.0, &name));
        Ok(())
    }

    /// A file without a name, which gets one or goes.
    fn make_unnamed(&mut self, volume: &Volume) -> Result<()> {
        let (directory, name) = (self.a_directory(), self.name());
        let (inode, attributes) = volume.make_unnamed(directory, 0o600, CREATOR)?;
        assert_eq!(attributes.links, 0);
        volume.write(inode, 0, b"content", Privileges::Keep)?;
        let linked = volume.link(inode, directory, &name);
        if !agree(self.model.may_make(directory.0, &name), linked.as_ref().map(|_| ()))? {
            return volume.reclaim(inode);
        }
        self.model.make(directory.0, &name, inode.0, Kind::File, 0o600, b"content");
        volume.reclaim(inode)
    }

    fn remove(&mut self, volume: &Volume) -> Result<()> {
        let (directory, name, wants_directory) = (self.a_directory(), self.name(), self.random.percent(40));
        let result = match wants_directory {
            true => volume.remove_directory(directory, &name),
            false => volume.unlink(directory, &name),
        };
        agree(self.model.clone().remove(directory.0, &name, wants_directory), result.as_ref().map(|_| ()))?;
        if let Ok(orphan) = result {
            self.model.remove(directory.0, &name, wants_directory).expect("it agreed");
            orphan.map(|inode| volume.reclaim(inode)).transpose()?;
        }
        Ok(())
    }

    fn rename(&mut self, volume: &Volume) -> Result<()> {
        let from = (self.a_directory(), self.name());
        let to = (self.a_directory(), self.name());
        let mode = match self.random.below(5) {
            0 => RenameMode::NoReplace,
            1 => RenameMode::Exchange,
            _ => RenameMode::Replace,
        };
        let (from_place, to_place) = ((from.0, &*from.1), (to.0, &*to.1));
        let leaves_whiteout = mode != RenameMode::Exchange && self.random.percent(20);
        let result = match leaves_whiteout {
            true => volume.rename_with_whiteout(from_place, to_place, mode, CREATOR),
            false => volume.rename(from_place, to_place, mode),
        };
        let mut model = self.model.clone();
        let expected = model.rename((from.0.0, &from.1), (to.0.0, &to.1), mode);
        agree(expected, result.as_ref().map(|_| ()))?;
        if let Ok(replaced) = result {
            self.model = model;
            if leaves_whiteout && !self.model.nodes[&from.0.0].entries.contains_key(&from.1) {
                let (inode, attributes) = volume.lookup(from.0, &from.1)?;
                assert_eq!(attributes.device, 0);
                self.model.make(from.0.0, &from.1, inode.0, Kind::CharacterDevice, 0, b"");
            }
            replaced.map(|inode| volume.reclaim(inode)).transpose()?;
        }
        Ok(())
    }

    fn set_permissions(&mut self, volume: &Volume) -> Result<()> {
        let (inode, permissions) = (self.an_inode(), self.random.below(0o10000) as u32);
        volume.set_attributes(inode, &AttributeChanges { permissions: Some(permissions), ..Default::default() })?;
        self.model.set_permissions(inode.0, permissions);
        self.note();
        // A directory with set-group-id hands it on: keep the model simple.
        let permissions = if self.model.nodes[&inode.0].kind == Kind::Directory { 0o755 } else { permissions };
        volume.set_attributes(inode, &AttributeChanges { permissions: Some(permissions), ..Default::default() })?;
        self.model.set_permissions(inode.0, permissions);
        Ok(())
    }

    fn set_xattr(&mut self, volume: &Volume) -> Result<()> {
        let (inode, name) = (self.an_inode(), format!("user.{}", self.random.below(3)).into_bytes());
        let length = [3, 700, 9000][self.random.below(3) as usize];
        let value = self.random.percent(70).then(|| self.random.bytes(length));
        let result = match &value {
            Some(value) => volume.set_xattr(inode, &name, value, XattrMode::Set),
            None => volume.remove_xattr(inode, &name),
        };
        agree(self.model.clone().set_xattr(inode.0, &name, value.as_deref()), result.as_ref().map(|_| ()))?;
        result.is_ok().then(|| self.model.set_xattr(inode.0, &name, value.as_deref()));
        Ok(())
    }

    fn read(&mut self, volume: &Volume) -> Result<()> {
        let Some(file) = self.a_file() else { return Ok(()) };
        assert_eq!(volume.attributes(file)?.allocated_bytes, volume.count_allocated(file)?, "space is miscounted");
        let (offset, length) = (self.offset(), self.length());
        let mut buffer = vec![0xaa; length as usize];
        let read = volume.read(file, offset, &mut buffer)?;
        let content = &self.model.nodes[&file.0].content;
        let expected = content.get(offset as usize..).unwrap_or_default();
        assert_eq!(&buffer[..read], &expected[..expected.len().min(length as usize)]);
        Ok(())
    }
}

/// A dump in short.
pub(crate) fn digest(dump: &[String]) -> Name {
    Block::data(dump.join("\n").into()).name()
}

fn reserve_size(extends: bool) -> ReserveSize {
    if extends { ReserveSize::Extend } else { ReserveSize::Keep }
}

/// Holds the results together: true if both did it, false if both refused alike. An error of the disk is passed on.
fn agree(expected: std::result::Result<(), Errno>, got: std::result::Result<(), &Error>) -> Result<bool> {
    match got {
        Err(error @ Error::Tree(_)) => Err(error.clone()),
        got => {
            let got = got.map_err(Error::errno);
            assert_eq!(got, expected);
            Ok(got.is_ok())
        }
    }
}

/// Everything that a user can see of a state of a volume, as lines.
pub(crate) fn dump(volume: &View, top: Inode) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    dump_below(volume, top, String::new(), &mut lines)?;
    Ok(lines)
}

fn dump_below(volume: &View, inode: Inode, path: String, lines: &mut Vec<String>) -> Result<()> {
    let attributes = volume.attributes(inode)?;
    let mut content = Vec::new();
    match attributes.kind {
        Kind::File => {
            content.resize(attributes.size as usize + 1, 0);
            let read = volume.read(inode, 0, &mut content)?;
            content.truncate(read);
        }
        Kind::Symlink => content = volume.read_link(inode)?.to_vec(),
        _ => {}
    }
    let mut xattrs = BTreeMap::new();
    for name in volume.xattr_names(inode)? {
        let value = volume.xattr(inode, &name)?.to_vec();
        xattrs.insert(name.to_vec(), value);
    }
    let volume::Attributes { kind, permissions, links, size, .. } = attributes;
    lines.push(line(&path, inode.0, kind, permissions, links, size, &content, &xattrs));
    let mut entries = BTreeMap::new();
    let mut cookie = 0;
    if kind == Kind::Directory {
        loop {
            let batch = volume.list(inode, cookie)?;
            let Some(last) = batch.last() else { break };
            cookie = last.cookie;
            for entry in batch {
                assert_eq!(volume.lookup(inode, &entry.name)?.0, entry.inode);
                assert!(entries.insert(entry.name.to_vec(), entry.inode).is_none(), "an entry came twice");
            }
        }
    }
    for (name, child) in entries {
        dump_below(volume, child, format!("{path}/{}", String::from_utf8_lossy(&name)), lines)?;
    }
    Ok(())
}
