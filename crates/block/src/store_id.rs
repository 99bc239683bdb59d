//! The identity of a store.

use std::fmt;

/// Random bytes that tell one store from every other. They salt the checksums of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId([u8; StoreId::BYTES]);

impl StoreId {
    /// Bytes in an id.
    pub const BYTES: usize = 16;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
