//! A request while it is answered.

use crate::{Errno, wire};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A request's parts, and the buffer that its answer goes to.
pub(super) struct Message<'a> {
    node: u64,
    arguments: &'a [u8],
    /// Names and data of the request, then the answer.
    buffer: &'a mut [u8],
    input_length: usize,
}

impl<'a> Message<'a> {
    /// Extensions at the end of the request are left out: we ask for none.
    pub(super) fn new(header: &wire::InHeader, arguments: &'a [u8], buffer: &'a mut [u8], input_length: usize) -> Self {
        let extensions = usize::from(header.total_extlen) * 8;
        let input_length = input_length.min(buffer.len()).saturating_sub(extensions);
        Self { node: header.node, arguments, buffer, input_length }
    }

    pub(super) fn node(&self) -> u64 {
        self.node
    }

    /// The fixed arguments. What an older kernel leaves out at their end is zero.
    pub(super) fn arguments<T: FromBytes + IntoBytes>(&self) -> Result<T, Errno> {
        match T::read_from_prefix(self.arguments) {
            Ok((arguments, _)) => Ok(arguments),
            Err(_) => self.short_arguments(),
        }
    }

    fn short_arguments<T: FromBytes + IntoBytes>(&self) -> Result<T, Errno> {
        if self.arguments.len() < wire::SETXATTR_IN_SIZE_OLD {
            return Err(malformed("arguments"));
        }
        let mut arguments = T::new_zeroed();
        arguments.as_mut_bytes()[..self.arguments.len()].copy_from_slice(self.arguments);
        Ok(arguments)
    }

    /// What follows the fixed arguments.
    pub(super) fn input(&self) -> &[u8] {
        &self.buffer[..self.input_length]
    }

    /// The first `size` bytes of the input.
    pub(super) fn data(&self, size: u32) -> Result<&[u8], Errno> {
        self.input().get(..size as usize).ok_or_else(|| malformed("data"))
    }

    /// The input as one name.
    pub(super) fn name(&self) -> Result<&[u8], Errno> {
        self.name_and_rest().map(|(name, _)| name)
    }

    /// The input as a name and what follows its zero byte.
    pub(super) fn name_and_rest(&self) -> Result<(&[u8], &[u8]), Errno> {
        split_name(self.input())
    }

    /// The input as two names.
    pub(super) fn two_names(&self) -> Result<(&[u8], &[u8]), Errno> {
        let (first, rest) = self.name_and_rest()?;
        Ok((first, split_name(rest)?.0))
    }

    /// Where the file system writes an answer of up to `size` bytes itself. The input is void from here on.
    pub(super) fn output(&mut self, size: u32) -> &mut [u8] {
        let size = self.buffer.len().min(size as usize);
        &mut self.buffer[..size]
    }

    /// Makes a struct the answer.
    pub(super) fn put<T: IntoBytes + Immutable>(&mut self, body: &T) -> Result<usize, Errno> {
        let bytes = body.as_bytes();
        self.buffer.get_mut(..bytes.len()).ok_or(Errno::EIO)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// Cuts a name off at its zero byte.
fn split_name(bytes: &[u8]) -> Result<(&[u8], &[u8]), Errno> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or_else(|| malformed("name"))?;
    let (name, rest) = bytes.split_at(end);
    Ok((name, &rest[1..]))
}

/// What we answer when the kernel sends what it should not.
pub(super) fn malformed(what: &'static str) -> Errno {
    tracing::warn!(what, "malformed request");
    Errno::EIO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_no_input() {
        let header = wire::InHeader { total_extlen: 1, ..Default::default() };
        let mut buffer = *b"name\0eight by";
        let message = Message::new(&header, &[], &mut buffer, 13);
        assert_eq!(message.input(), b"name\0");
        assert_eq!(message.name(), Ok(&b"name"[..]));
        assert_eq!(message.two_names(), Err(Errno::EIO));
    }

    #[test]
    fn short_arguments_are_filled_up_but_not_from_nothing() {
        let header = wire::InHeader::default();
        let mut buffer = [0; 0];
        let message = Message::new(&header, &[1, 0, 0, 0, 2, 0, 0, 0], &mut buffer, 0);
        let arguments: wire::SetxattrIn = message.arguments().expect("8 bytes are enough");
        assert_eq!((arguments.size, arguments.flags, arguments.setxattr_flags), (1, 2, 0));
        let message = Message::new(&header, &[1, 2, 3], &mut buffer, 0);
        assert_eq!(message.arguments::<wire::SetxattrIn>(), Err(Errno::EIO));
    }
}
