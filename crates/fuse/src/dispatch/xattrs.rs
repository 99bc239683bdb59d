//! Requests about extended attributes.

use super::Dispatcher;
use super::message::Message;
use crate::{Errno, NameBuffer, ValueBuffer, wire};

/// The longest name of an extended attribute, in bytes (`XATTR_NAME_MAX`).
const NAME_LENGTH_MAX: usize = 255;

impl Dispatcher {
    pub(super) fn setxattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::SetxattrIn = message.arguments()?;
        let options = arguments.options().ok_or(Errno::EINVAL)?;
        let (name, rest) = message.name_and_rest()?;
        let value = rest.get(..arguments.size as usize).ok_or(Errno::EIO)?;
        self.filesystem().setxattr(&self.request, message.node(), name, value, options).map(|()| 0)
    }

    /// The name is moved out of the way, because the value takes its place in the buffer.
    pub(super) fn getxattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::GetxattrIn { size, .. } = message.arguments()?;
        let mut copy = [0; NAME_LENGTH_MAX];
        let name = message.name()?;
        let kept = copy.get_mut(..name.len()).ok_or(Errno::ERANGE)?;
        kept.copy_from_slice(name);
        let node = message.node();
        if size == 0 {
            let mut value = ValueBuffer::counting(Errno::ERANGE);
            self.filesystem().getxattr(&self.request, node, kept, &mut value)?;
            return put_length(message, value.length());
        }
        let mut value = ValueBuffer::new(message.output(size), Errno::ERANGE);
        self.filesystem().getxattr(&self.request, node, kept, &mut value)?;
        Ok(value.length())
    }

    pub(super) fn listxattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::GetxattrIn { size, .. } = message.arguments()?;
        let node = message.node();
        if size == 0 {
            let mut names = NameBuffer::counting();
            self.filesystem().listxattr(&self.request, node, &mut names)?;
            return put_length(message, names.length());
        }
        let mut names = NameBuffer::new(message.output(size));
        self.filesystem().listxattr(&self.request, node, &mut names)?;
        Ok(names.length())
    }

    pub(super) fn removexattr(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        self.filesystem().removexattr(&self.request, message.node(), message.name()?).map(|()| 0)
    }
}

/// The answer to a question for the length.
fn put_length(message: &mut Message<'_>, length: usize) -> Result<usize, Errno> {
    let size = u32::try_from(length).map_err(|_| Errno::E2BIG)?;
    message.put(&wire::GetxattrOut { size, padding: 0 })
}
