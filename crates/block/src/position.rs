//! A place in the log.

use std::fmt;

/// Where a frame begins: the number of its segment and the offset in it. Positions rise along the log and are never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Before the first frame of any log.
    pub const START: Self = Self(0);

    /// The place at an offset in a segment.
    pub const fn new(segment: u32, offset: u32) -> Self {
        Self((segment as u64) << 32 | offset as u64)
    }

    /// The position with this number, as [`Position::to_u64`] gave it.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The position as one number: segment in the upper half, offset in the lower.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The segment's number. The first segment of a log is 1.
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The offset in the segment's file, in bytes.
    pub const fn offset(self) -> u32 {
        self.0 as u32
    }

    /// The place a number of bytes further on in the same segment.
    pub(crate) const fn after(self, bytes: u32) -> Self {
        Self(self.0 + bytes as u64)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment(), self.offset())
    }
}
