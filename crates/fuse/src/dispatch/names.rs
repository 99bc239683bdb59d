//! Requests about names in directories, and the lookups that they count.

use super::Dispatcher;
use super::message::{Message, malformed};
use crate::no_open::NoOpen;
use crate::{Entry, Errno, OpenFlags, Opened, RenameFlags, wire};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The answer to CREATE and TMPFILE.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct CreateOut {
    entry: wire::EntryOut,
    opened: wire::OpenOut,
}

impl Dispatcher {
    pub(super) fn lookup(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let (node, name) = (message.node(), message.name()?);
        let entry = match self.connection.no_open.lookup(node, name) {
            Some(entry) => entry,
            None => self.filesystem().lookup(&self.request, node, name)?,
        };
        put_entry(message, &entry)
    }

    pub(super) fn forget(&self, message: &Message<'_>) -> Result<(), Errno> {
        let arguments: wire::ForgetIn = message.arguments()?;
        self.forget_one(message.node(), arguments.count);
        Ok(())
    }

    fn forget_one(&self, node: u64, count: u64) {
        if !NoOpen::is_about(node) {
            self.filesystem().forget(node, count);
        }
    }

    pub(super) fn batch_forget(&self, message: &Message<'_>) -> Result<(), Errno> {
        let arguments: wire::BatchForgetIn = message.arguments()?;
        let count = arguments.count as usize;
        let records = message.input().chunks_exact(size_of::<wire::ForgetOne>());
        for record in records.take(count) {
            let one = wire::ForgetOne::read_from_bytes(record).map_err(|_| malformed("forget"))?;
            self.forget_one(one.node, one.count);
        }
        Ok(())
    }

    pub(super) fn symlink(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let (name, target) = message.two_names()?;
        let entry = self.filesystem().symlink(&self.request, message.node(), name, target)?;
        put_entry(message, &entry)
    }

    pub(super) fn mknod(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::MknodIn { mode, rdev, .. } = message.arguments()?;
        let entry = self.filesystem().mknod(&self.request, message.node(), message.name()?, mode, rdev)?;
        put_entry(message, &entry)
    }

    pub(super) fn mkdir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::MkdirIn { mode, .. } = message.arguments()?;
        let entry = self.filesystem().mkdir(&self.request, message.node(), message.name()?, mode)?;
        put_entry(message, &entry)
    }

    pub(super) fn unlink(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        self.filesystem().unlink(&self.request, message.node(), message.name()?).map(|()| 0)
    }

    pub(super) fn rmdir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        self.filesystem().rmdir(&self.request, message.node(), message.name()?).map(|()| 0)
    }

    pub(super) fn rename(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::RenameIn { new_parent } = message.arguments()?;
        self.rename_to(message, new_parent, RenameFlags::NONE)
    }

    pub(super) fn rename2(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::Rename2In { new_parent, flags, .. } = message.arguments()?;
        self.rename_to(message, new_parent, RenameFlags::from_bits(flags))
    }

    fn rename_to(&self, message: &Message<'_>, new_parent: u64, flags: RenameFlags) -> Result<usize, Errno> {
        let (name, new_name) = message.two_names()?;
        let filesystem = self.filesystem();
        filesystem.rename(&self.request, message.node(), name, new_parent, new_name, flags)?;
        Ok(0)
    }

    pub(super) fn link(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::LinkIn { old_node } = message.arguments()?;
        let entry = self.filesystem().link(&self.request, old_node, message.node(), message.name()?)?;
        put_entry(message, &entry)
    }

    pub(super) fn create(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::CreateIn = message.arguments()?;
        let flags = OpenFlags::from(&arguments);
        let name = message.name()?;
        let (entry, opened) = self.filesystem().create(&self.request, message.node(), name, arguments.mode, flags)?;
        put_created(message, &entry, &opened)
    }

    pub(super) fn tmpfile(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::CreateIn = message.arguments()?;
        let flags = OpenFlags::from(&arguments);
        let (entry, opened) = self.filesystem().tmpfile(&self.request, message.node(), arguments.mode, flags)?;
        put_created(message, &entry, &opened)
    }
}

fn put_entry(message: &mut Message<'_>, entry: &Entry) -> Result<usize, Errno> {
    message.put(&wire::EntryOut::from(entry))
}

fn put_created(message: &mut Message<'_>, entry: &Entry, opened: &Opened) -> Result<usize, Errno> {
    message.put(&CreateOut { entry: entry.into(), opened: opened.into() })
}
