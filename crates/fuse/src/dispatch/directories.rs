//! Requests about open directories.

use super::Dispatcher;
use super::message::Message;
use crate::{DirectoryBuffer, DirectoryPlusBuffer, Errno, OpenFlags, wire};

impl Dispatcher {
    pub(super) fn opendir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::OpenIn = message.arguments()?;
        let flags = OpenFlags::from(&arguments);
        let opened = self.filesystem().opendir(&self.request, message.node(), flags)?;
        message.put(&wire::OpenOut::from(&opened))
    }

    pub(super) fn readdir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::ReadIn { handle, offset, size, .. } = message.arguments()?;
        let node = message.node();
        let mut entries = DirectoryBuffer::new(message.output(size));
        self.filesystem().readdir(&self.request, node, handle, offset, &mut entries)?;
        Ok(entries.length())
    }

    pub(super) fn readdirplus(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::ReadIn { handle, offset, size, .. } = message.arguments()?;
        let node = message.node();
        let mut entries = DirectoryPlusBuffer::new(message.output(size));
        match self.filesystem().readdirplus(&self.request, node, handle, offset, &mut entries) {
            // What was added is looked up already: it has to reach the kernel, and the error comes with the next request.
            Err(error) if entries.length() == 0 => Err(error),
            _ => Ok(entries.length()),
        }
    }

    pub(super) fn releasedir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::ReleaseIn = message.arguments()?;
        let options = (&arguments).into();
        self.filesystem().releasedir(&self.request, message.node(), arguments.handle, options).map(|()| 0)
    }

    pub(super) fn fsyncdir(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::FsyncIn = message.arguments()?;
        let (handle, data_only) = (arguments.handle, arguments.data_only());
        self.filesystem().fsyncdir(&self.request, message.node(), handle, data_only).map(|()| 0)
    }
}
