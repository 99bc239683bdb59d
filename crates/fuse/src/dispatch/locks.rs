//! Requests about locks.

use super::Dispatcher;
use super::message::Message;
use crate::{Errno, LockOwner, LockWait, RecordLock, wire};
use wire::Opcode;

impl Dispatcher {
    pub(super) fn getlk(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let (arguments, lock) = parse(message)?;
        let (handle, owner) = (arguments.handle, LockOwner(arguments.owner));
        let found = self.filesystem().getlk(&self.request, message.node(), handle, owner, lock)?;
        message.put(&wire::LockOut::from(&found))
    }

    pub(super) fn setlk(&self, opcode: Opcode, message: &mut Message<'_>) -> Result<usize, Errno> {
        let (arguments, lock) = parse(message)?;
        let (handle, owner) = (arguments.handle, LockOwner(arguments.owner));
        let wait = if opcode == Opcode::Setlkw { LockWait::Yes } else { LockWait::No };
        let (node, filesystem) = (message.node(), self.filesystem());
        if arguments.is_flock() {
            filesystem.flock(&self.request, node, handle, owner, lock.kind, wait)?;
        } else {
            filesystem.setlk(&self.request, node, handle, owner, lock, wait)?;
        }
        Ok(0)
    }
}

fn parse(message: &Message<'_>) -> Result<(wire::LockIn, RecordLock), Errno> {
    let arguments: wire::LockIn = message.arguments()?;
    let lock = arguments.lock.parse().ok_or(Errno::EINVAL)?;
    Ok((arguments, lock))
}
