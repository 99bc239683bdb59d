//! Compression for layers above that have to compress before they hide what is in a body.

use crate::frame::{Codec, Fault};
use crate::{Compression, Error, Result};
use bytes::Bytes;
use std::borrow::Cow;

/// A body, compressed where that gains something.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed<'a> {
    /// The number that stands for its form, as in a frame's header.
    pub codec: u8,
    /// The bytes in that form. Never more than the body has.
    pub stored: Cow<'a, [u8]>,
}

/// Compresses a body as a store does.
pub fn pack(body: &[u8], compression: Compression) -> Packed<'_> {
    let (codec, stored) = Codec::compress(body, compression);
    Packed { codec: codec.number(), stored }
}

/// The body of so many bytes again. [`Error::Corrupt`] if the stored bytes are not those of one.
pub fn unpack(codec: u8, stored: Bytes, body_bytes: usize) -> Result<Bytes> {
    let wrong_length = || Error::Corrupt { what: "a body does not have its length".to_owned() };
    if stored.len() > body_bytes || body_bytes > crate::BODY_BYTES_MAX {
        return Err(wrong_length());
    }
    let body = match Codec::from_number(codec) {
        Ok(Codec::RawWithHashes) => Err(Fault::Unsupported("codec")),
        codec => codec.and_then(|codec| codec.decompress(stored, body_bytes)),
    };
    let body = body.map_err(|fault| Error::Corrupt { what: fault.to_string() })?;
    if body.len() == body_bytes { Ok(body) } else { Err(wrong_length()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_and_one_of_another_length_is_refused() {
        for body in [vec![7; 10_000], (0..=255).collect()] {
            let Packed { codec, stored } = pack(&body, Compression::Lz4);
            let unpack = |length| unpack(codec, Bytes::copy_from_slice(&stored), length);
            assert_eq!(unpack(body.len()).unwrap(), body);
            assert!(unpack(body.len() + 1).is_err() && unpack(body.len() - 1).is_err());
        }
        for codec in [3, 9] {
            assert!(super::unpack(codec, Bytes::new(), 0).is_err(), "only those that `pack` makes");
        }
        assert!(super::unpack(1, Bytes::from_static(&[0]), usize::MAX / 2).is_err(), "it is not even allocated");
    }
}
