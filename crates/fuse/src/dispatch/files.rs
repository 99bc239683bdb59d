//! Requests that open, close and flush files.

use super::Dispatcher;
use super::message::Message;
use crate::no_open::NoOpen;
use crate::{Errno, LockOwner, OpenFlags, wire};

impl Dispatcher {
    pub(super) fn open(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::OpenIn = message.arguments()?;
        let flags = OpenFlags::from(&arguments);
        if NoOpen::is_about(message.node()) {
            return Err(Errno::ENOSYS);
        }
        let opened = self.filesystem().open(&self.request, message.node(), flags)?;
        message.put(&wire::OpenOut::from(&opened))
    }

    pub(super) fn release(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::ReleaseIn = message.arguments()?;
        let options = (&arguments).into();
        self.filesystem().release(&self.request, message.node(), arguments.handle, options).map(|()| 0)
    }

    pub(super) fn flush(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::FlushIn = message.arguments()?;
        let owner = LockOwner(arguments.lock_owner);
        self.filesystem().flush(&self.request, message.node(), arguments.handle, owner).map(|()| 0)
    }

    pub(super) fn fsync(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::FsyncIn = message.arguments()?;
        let (handle, data_only) = (arguments.handle, arguments.data_only());
        self.filesystem().fsync(&self.request, message.node(), handle, data_only).map(|()| 0)
    }

    pub(super) fn poll(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::PollIn = message.arguments()?;
        let poll = (&arguments).into();
        let events = self.filesystem().poll(&self.request, message.node(), arguments.handle, poll)?;
        message.put(&wire::PollOut { events, padding: 0 })
    }
}
