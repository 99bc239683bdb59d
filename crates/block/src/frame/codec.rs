//! How bodies are stored: LZ4 where that gains something, otherwise raw; then the hashes of its pieces stand behind a long one.

use super::Fault;
use crate::Compression;
use crate::limits::{COMPRESSION_GAIN_PARTS, COMPRESSION_SAMPLE_BYTES, COMPRESSION_SAMPLED_BYTES_MIN};
use bytes::Bytes;
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use std::borrow::Cow;

/// The form of a stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As it is.
    Raw,
    /// An LZ4 block.
    Lz4,
    /// As it is, and behind it the hashes of its pieces ([`crate::pieces::PieceHashes`]): only a block without links, of several pieces.
    RawWithHashes,
}

const RAW: u8 = 0;
const LZ4: u8 = 1;
const RAW_WITH_HASHES: u8 = 3;

impl Codec {
    /// The number that stands for it on disk and on the wire.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Raw => RAW,
            Self::Lz4 => LZ4,
            Self::RawWithHashes => RAW_WITH_HASHES,
        }
    }

    /// The codec with a number.
    pub(crate) fn from_number(number: u8) -> Result<Self, Fault> {
        match number {
            RAW => Ok(Self::Raw),
            LZ4 => Ok(Self::Lz4),
            RAW_WITH_HASHES => Ok(Self::RawWithHashes),
            _ => Err(Fault::Unsupported("codec")),
        }
    }

    /// Whether the body lies as it is.
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Self::Raw | Self::RawWithHashes)
    }

    /// The body as it should be stored, raw or compressed. Never longer than the body.
    pub(crate) fn compress(body: &[u8], compression: Compression) -> (Self, Cow<'_, [u8]>) {
        match compression {
            Compression::Lz4 if is_promising(body) => match shrink(body) {
                Some(stored) => (Self::Lz4, Cow::Owned(stored)),
                None => (Self::Raw, Cow::Borrowed(body)),
            },
            _ => (Self::Raw, Cow::Borrowed(body)),
        }
    }

    /// The body, from how it is stored and its length.
    pub(crate) fn decompress(self, stored: Bytes, body_bytes: usize) -> Result<Bytes, Fault> {
        match self {
            Self::Raw => Ok(stored),
            Self::RawWithHashes if stored.len() < body_bytes => Err(Fault::Compression),
            Self::RawWithHashes => Ok(stored.slice(..body_bytes)),
            Self::Lz4 => {
                let mut body = vec![0; body_bytes];
                match decompress_into(&stored, &mut body) {
                    Ok(length) if length == body_bytes => Ok(body.into()),
                    _ => Err(Fault::Compression),
                }
            }
        }
    }
}

/// Whether the middle of a long body compresses; media and archives are not worth the time.
fn is_promising(body: &[u8]) -> bool {
    if body.len() < COMPRESSION_SAMPLED_BYTES_MIN {
        return true;
    }
    let start = body.len() / 2;
    shrink(&body[start..start + COMPRESSION_SAMPLE_BYTES]).is_some()
}

/// The LZ4 block of some bytes, if it gains enough.
fn shrink(body: &[u8]) -> Option<Vec<u8>> {
    let mut stored = vec![0; get_maximum_output_size(body.len())];
    let length = compress_into(body, &mut stored).ok()?;
    let limit = body.len() - body.len().div_ceil(COMPRESSION_GAIN_PARTS);
    stored.truncate(length);
    (length <= limit).then_some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repeated_bytes_are_stored_shorter() {
        let body = vec![7; 100_000];
        let (codec, stored) = Codec::compress(&body, Compression::Lz4);
        assert_eq!(codec, Codec::Lz4);
        assert!(stored.len() < 1_000);
    }

    #[test]
    fn bodies_without_gain_stay_raw() {
        let body: Vec<u8> =
            (0..40_000_u32).flat_map(|seed| blake3::hash(&seed.to_le_bytes()).as_bytes()[..4].to_vec()).collect();
        assert_eq!(Codec::compress(&body, Compression::Lz4), (Codec::Raw, Cow::Borrowed(&body[..])));
        assert_eq!(Codec::compress(&[], Compression::Lz4).0, Codec::Raw);
    }

    proptest! {
        #[test]
        fn compression_never_makes_a_body_longer_and_gives_it_back(
            body in proptest::collection::vec(0_u8..4, 0..5_000),
            noise in proptest::collection::vec(any::<u8>(), 0..500),
        ) {
            let body = [body, noise].concat();
            let (codec, stored) = Codec::compress(&body, Compression::Lz4);
            prop_assert!(stored.len() <= body.len());
            let stored = Bytes::copy_from_slice(&stored);
            prop_assert_eq!(&codec.decompress(stored, body.len()).expect("decompress what was compressed")[..], &body[..]);
        }
    }
}
