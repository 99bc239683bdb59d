//! Little-endian reading of bytes that may be anything.

use crate::{Error, Inode};

/// Why bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// They end too early, or hold a value that none may have.
    Bytes,
    /// A newer program wrote them.
    Newer,
}

impl Malformed {
    /// The error for a record of an inode.
    pub(crate) fn in_inode(self, inode: Inode, what: &'static str) -> Error {
        match self {
            Self::Bytes => Error::Damaged { inode: inode.0, what },
            Self::Newer => Error::Newer { what },
        }
    }

    /// The error for a record of the volume or the pool.
    pub(crate) fn in_volume(self, what: &'static str) -> Error {
        self.in_inode(Inode(0), what)
    }
}

/// What reading gives.
pub(crate) type Parsed<T> = Result<T, Malformed>;

/// Takes values off the front of a byte string.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed::Bytes)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A version, which must be this one.
    pub(crate) fn version(&mut self, known: u8) -> Parsed<()> {
        match self.u8()? {
            version if version == known => Ok(()),
            version if version > known => Err(Malformed::Newer),
            _ => Err(Malformed::Bytes),
        }
    }

    /// Bytes that are kept for later versions and are zero until then.
    pub(crate) fn reserved(&mut self, length: usize) -> Parsed<()> {
        if self.bytes(length)?.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Malformed::Bytes) }
    }

    pub(crate) fn u8(&mut self) -> Parsed<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Parsed<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Parsed<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Parsed<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed::Bytes)?;
        self.0 = rest;
        Ok(head)
    }
}

/// Appends values to a byte string.
pub(crate) trait Writer {
    fn put_u8(&mut self, value: u8);
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
}

impl Writer for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }
}
