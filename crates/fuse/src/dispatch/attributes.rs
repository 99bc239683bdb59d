//! Requests about attributes, links' targets and the file system as a whole.

use super::Dispatcher;
use super::message::Message;
use crate::{Errno, SetAttr, ValueBuffer, wire};

/// The longest target of a symbolic link, in bytes.
const TARGET_LENGTH_MAX: u32 = 4095;

impl Dispatcher {
    pub(super) fn getattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::GetattrIn = message.arguments()?;
        let cached = self.filesystem().getattr(&self.request, message.node(), arguments.handle())?;
        message.put(&wire::CachedAttrOut::from(&cached))
    }

    pub(super) fn setattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::SetattrIn = message.arguments()?;
        let changes = SetAttr::from(&arguments);
        let cached = self.filesystem().setattr(&self.request, message.node(), &changes)?;
        message.put(&wire::CachedAttrOut::from(&cached))
    }

    pub(super) fn statx(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::StatxIn = message.arguments()?;
        let statx = self.filesystem().statx(&self.request, message.node(), (&arguments).into())?;
        message.put(&wire::StatxOut::from(&statx))
    }

    pub(super) fn readlink(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let node = message.node();
        let mut target = ValueBuffer::new(message.output(TARGET_LENGTH_MAX), Errno::ENAMETOOLONG);
        self.filesystem().readlink(&self.request, node, &mut target)?;
        Ok(target.length())
    }

    pub(super) fn access(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::AccessIn { mask, .. } = message.arguments()?;
        self.filesystem().access(&self.request, message.node(), mask).map(|()| 0)
    }

    pub(super) fn statfs(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let stat = self.filesystem().statfs(&self.request, message.node())?;
        message.put(&wire::StatFsOut::from(&stat))
    }

    pub(super) fn syncfs(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        self.filesystem().syncfs(&self.request, message.node()).map(|()| 0)
    }
}
