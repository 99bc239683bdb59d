//! Requests about the data in files.

use super::Dispatcher;
use super::message::{Message, malformed};
use crate::{Errno, Ioctl, wire};
use zerocopy::IntoBytes;

impl Dispatcher {
    pub(super) fn read(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::ReadIn = message.arguments()?;
        let node = message.node();
        let buffer = message.output(arguments.size);
        let limit = buffer.len();
        let options = (&arguments).into();
        let (handle, offset) = (arguments.handle, arguments.offset);
        let length = self.filesystem().read(&self.request, node, handle, offset, buffer, options)?;
        checked(length, limit)
    }

    pub(super) fn write(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::WriteIn = message.arguments()?;
        let data = message.data(arguments.size)?;
        let limit = data.len();
        let options = (&arguments).into();
        let (handle, offset) = (arguments.handle, arguments.offset);
        let length = self.filesystem().write(&self.request, message.node(), handle, offset, data, options)?;
        let size = checked(length, limit)? as u32;
        message.put(&wire::WriteOut { size, padding: 0 })
    }

    pub(super) fn fallocate(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let wire::FallocateIn { handle, offset, length, mode, .. } = message.arguments()?;
        self.filesystem().fallocate(&self.request, message.node(), handle, offset, length, mode).map(|()| 0)
    }

    pub(super) fn lseek(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::LseekIn = message.arguments()?;
        let seek = arguments.seek().ok_or(Errno::EINVAL)?;
        let (handle, offset) = (arguments.handle, arguments.offset);
        let offset = self.filesystem().lseek(&self.request, message.node(), handle, offset, seek)?;
        message.put(&wire::LseekOut { offset })
    }

    pub(super) fn copy_file_range(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let copied = self.copy(message)?;
        let size = u32::try_from(copied).map_err(|_| Errno::EIO)?;
        message.put(&wire::WriteOut { size, padding: 0 })
    }

    pub(super) fn copy_file_range_64(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let bytes_copied = self.copy(message)?;
        message.put(&wire::CopyFileRangeOut { bytes_copied })
    }

    fn copy(&self, message: &Message<'_>) -> Result<u64, Errno> {
        let arguments: wire::CopyFileRangeIn = message.arguments()?;
        let (from, to) = (arguments.source(message.node()), arguments.destination());
        self.filesystem().copy_file_range(&self.request, from, to, arguments.length, arguments.flags)
    }

    /// The only request with data both ways, so its input is copied: at most 16 KiB, which is what `_IOC` can say.
    pub(super) fn ioctl(&self, message: &mut Message<'_>) -> Result<usize, Errno> {
        let arguments: wire::IoctlIn = message.arguments()?;
        if arguments.flags & wire::IOCTL_UNRESTRICTED != 0 {
            return Err(Errno::ENOSYS);
        }
        let input = message.data(arguments.in_size)?.to_vec();
        let node = message.node();
        let size = (size_of::<wire::IoctlOut>() as u32).saturating_add(arguments.out_size);
        let output = message.output(size);
        let (head, body) =
            output.split_at_mut_checked(size_of::<wire::IoctlOut>()).ok_or_else(|| malformed("ioctl"))?;
        let ioctl = Ioctl::from(&arguments);
        let result = self.filesystem().ioctl(&self.request, node, arguments.handle, ioctl, &input, body)?;
        let length = checked(result.output_length, body.len())?;
        head.copy_from_slice(wire::IoctlOut { result: result.value, ..Default::default() }.as_bytes());
        Ok(head.len() + length)
    }
}

/// A length that the file system returns, which must not be more than it was given.
fn checked(length: usize, limit: usize) -> Result<usize, Errno> {
    if length <= limit {
        return Ok(length);
    }
    tracing::error!(length, limit, "the file system claims more bytes than there are");
    Err(Errno::EIO)
}
