//! Extended attributes, and other answers that are bytes of unknown length.

use crate::Errno;

/// What a SETXATTR asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetXattrOptions {
    /// Whether the attribute may, must or must not exist.
    pub mode: SetXattrMode,
    /// Setting this ACL must also clear the set-group-id bit
    /// (only with [`Features::SETXATTR_EXT`](crate::Features::SETXATTR_EXT)).
    pub acl_kill_sgid: bool,
}

/// Whether an attribute to set may exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetXattrMode {
    /// Either way.
    Set,
    /// It must not: `EEXIST` (`XATTR_CREATE`).
    Create,
    /// It must: `ENODATA` (`XATTR_REPLACE`).
    Replace,
    /// Both at once, so it fails in any case: `EEXIST`, or `ENODATA`.
    CreateAndReplace,
}

/// Where the bytes of an answer go: an attribute's value or a link's target.
///
/// When the caller only asks for the length, the bytes are counted and dropped.
#[derive(Debug)]
pub struct ValueBuffer<'a> {
    sink: Sink<'a>,
    overflow: Errno,
}

impl<'a> ValueBuffer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8], overflow: Errno) -> Self {
        Self { sink: Sink { buffer: Some(buffer), length: 0 }, overflow }
    }

    pub(crate) fn counting(overflow: Errno) -> Self {
        Self { sink: Sink { buffer: None, length: 0 }, overflow }
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// `ERANGE` for an attribute that is longer than the caller's buffer, `ENAMETOOLONG` for a link's target over 4 KiB.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        self.sink.append(bytes).ok_or(self.overflow)
    }

    pub(crate) fn length(&self) -> usize {
        self.sink.length
    }
}

/// Where the names of a LISTXATTR go.
#[derive(Debug)]
pub struct NameBuffer<'a> {
    sink: Sink<'a>,
}

impl<'a> NameBuffer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { sink: Sink { buffer: Some(buffer), length: 0 } }
    }

    pub(crate) fn counting() -> Self {
        Self { sink: Sink { buffer: None, length: 0 } }
    }

    /// Adds a name, without a zero byte at its end.
    ///
    /// # Errors
    ///
    /// `ERANGE` when the names are longer than the caller's buffer.
    pub fn push(&mut self, name: &[u8]) -> Result<(), Errno> {
        self.sink.append(name).and_then(|()| self.sink.append(&[0])).ok_or(Errno::ERANGE)
    }

    pub(crate) fn length(&self) -> usize {
        self.sink.length
    }
}

/// Fills a buffer, or only counts when there is none.
#[derive(Debug)]
struct Sink<'a> {
    buffer: Option<&'a mut [u8]>,
    length: usize,
}

impl Sink<'_> {
    fn append(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        if let Some(buffer) = &mut self.buffer {
            buffer.get_mut(self.length..end)?.copy_from_slice(bytes);
        }
        self.length = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_longer_than_the_buffer_is_refused() {
        let mut bytes = [0; 4];
        let mut value = ValueBuffer::new(&mut bytes, Errno::ERANGE);
        assert_eq!(value.append(b"abc"), Ok(()));
        assert_eq!(value.append(b"de"), Err(Errno::ERANGE));
        assert_eq!(value.length(), 3);
    }

    #[test]
    fn a_question_for_the_length_counts_only() {
        let mut names = NameBuffer::counting();
        names.push(b"user.a").expect("counting never overflows");
        names.push(b"user.b").expect("counting never overflows");
        assert_eq!(names.length(), 14);
    }
}
