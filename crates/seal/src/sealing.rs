//! Sealing and opening: `docs/format.md`, "Sealed bodies" draws it.
//!
//! The nonce is a keyed hash of all that is sealed (a synthetic one), so sealing is a function, and different messages have different
//! nonces but for a chance of 2^-96. Where two should meet, AES-256-GCM-SIV (RFC 8452) shows that they are equal if they are, and
//! nothing else.

use crate::padding::padded;
use crate::{Context, Error, Result, VolumeKey};
use aes_gcm_siv::{AeadInOut, Nonce, Tag};
use block::{Compression, Name, Packed, pack, unpack};
use bytes::{Bytes, BytesMut};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Before what is encrypted: version and nonce.
const PREFIX_BYTES: usize = 1 + NONCE_BYTES;

/// First of what is encrypted: codec, three zeros, length of the body, length as stored.
const HEADER_BYTES: usize = 12;

impl VolumeKey {
    /// Bytes that sealing adds to a body, beside what compression takes away and padding adds.
    pub const OVERHEAD_BYTES: usize = PREFIX_BYTES + HEADER_BYTES + TAG_BYTES;

    /// Seals a body together with links that stay open beside it.
    pub fn seal(&self, context: Context, links: &[Name], body: &[u8]) -> Bytes {
        let Packed { codec, stored } = pack(body, Compression::Lz4);
        let plain_bytes = HEADER_BYTES + padded(stored.len());
        let mut sealed = BytesMut::with_capacity(PREFIX_BYTES + plain_bytes + TAG_BYTES);
        sealed.extend_from_slice(&[0; PREFIX_BYTES]);
        sealed.extend_from_slice(&[codec, 0, 0, 0]);
        sealed.extend_from_slice(&(body.len() as u32).to_le_bytes());
        sealed.extend_from_slice(&(stored.len() as u32).to_le_bytes());
        sealed.extend_from_slice(&stored);
        sealed.resize(PREFIX_BYTES + plain_bytes, 0);
        let (prefix, plain) = sealed.split_at_mut(PREFIX_BYTES);
        let associated = associated(context, links);
        let nonce = self.nonce(&associated, plain);
        prefix[0] = VERSION;
        prefix[1..].copy_from_slice(&nonce);
        let tag = self.keys().cipher.encrypt_inout_detached(&nonce, &associated, plain.into());
        sealed.extend_from_slice(&tag.expect("blocks are far below the cipher's limit of 64 GiB"));
        sealed.freeze()
    }

    /// The body again, if this key sealed it in this context with these links.
    pub fn open(&self, context: Context, links: &[Name], sealed: &[u8]) -> Result<Bytes> {
        let (prefix, rest) = sealed.split_at_checked(PREFIX_BYTES).ok_or(Error::NotAuthentic)?;
        if prefix[0] != VERSION {
            return Err(Error::Newer("what is sealed"));
        }
        let (encrypted, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Error::NotAuthentic)?;
        let nonce = Nonce::try_from(&prefix[1..]).map_err(|_| Error::NotAuthentic)?;
        let mut plain = BytesMut::from(encrypted);
        let opened = self.keys().cipher.decrypt_inout_detached(
            &nonce,
            &associated(context, links),
            (&mut plain[..]).into(),
            &Tag::from(*tag),
        );
        opened.map_err(|_| Error::NotAuthentic)?;
        body(plain.freeze())
    }

    fn nonce(&self, associated: &[u8], plain: &[u8]) -> Nonce {
        let mut hasher = blake3::Hasher::new_keyed(&self.keys().nonce);
        hasher.update(&(associated.len() as u64).to_le_bytes());
        hasher.update(associated);
        hasher.update(plain);
        let mut nonce = Nonce::default();
        hasher.finalize_xof().fill(&mut nonce);
        nonce
    }
}

fn associated(context: Context, links: &[Name]) -> Vec<u8> {
    let mut bytes = context.bytes().to_vec();
    links.iter().for_each(|link| bytes.extend_from_slice(link.as_bytes()));
    bytes
}

/// The body of what was decrypted. It is authentic, so it can only be wrong if a program was.
fn body(plain: Bytes) -> Result<Bytes> {
    let (header, _) = plain.split_first_chunk::<HEADER_BYTES>().ok_or(Error::NotAuthentic)?;
    let length = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let (codec, body_bytes, stored_bytes) = (header[0], length(4), length(8));
    if header[1..4] != [0; 3] || stored_bytes > plain.len() - HEADER_BYTES {
        return Err(Error::Newer("what is sealed"));
    }
    unpack(codec, plain.slice(HEADER_BYTES..HEADER_BYTES + stored_bytes), body_bytes)
        .map_err(|_| Error::Newer("what is sealed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u8) -> VolumeKey {
        VolumeKey::from_bytes(&[number; VolumeKey::BYTES])
    }

    fn name(number: u8) -> Name {
        Name::from_bytes([number; Name::BYTES])
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_in_its_place_and_unchanged() {
        let (links, body) = ([name(1), name(2)], b"a body".repeat(50));
        let sealed = key(1).seal(Context::Block, &links, &body);
        assert_eq!(key(1).open(Context::Block, &links, &sealed).unwrap(), body);
        assert_eq!(key(2).open(Context::Block, &links, &sealed), Err(Error::NotAuthentic));
        assert_eq!(key(1).open(Context::Journal([0; 16]), &links, &sealed), Err(Error::NotAuthentic));
        assert_eq!(key(1).open(Context::Block, &links[..1], &sealed), Err(Error::NotAuthentic));
        for at in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert!(key(1).open(Context::Block, &links, &changed).is_err(), "byte {at}");
            assert!(key(1).open(Context::Block, &links, &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn equal_bodies_are_sealed_equally_and_other_keys_and_contexts_give_others() {
        let seal = |number, context| key(number).seal(context, &[], b"the same body");
        let (one, other) = (Context::Journal([1; 16]), Context::Journal([2; 16]));
        assert_eq!(seal(1, one), seal(1, one));
        assert_ne!(seal(1, one), seal(1, other));
        assert_ne!(seal(1, one), seal(2, one));
        assert_ne!(seal(1, Context::Block), key(1).seal(Context::Block, &[name(0)], b"the same body"));
    }

    /// Fixes the format: bytes that this version wrote.
    #[test]
    fn what_an_earlier_pantala_sealed_opens() {
        let sealed = key(9).seal(Context::Block, &[name(3)], b"fixed");
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FIXED);
    }

    const FIXED: &str = "016be2a63dd770557318495a89323317c6c951301ca243d16c5853b3958de1a0fffb7ca44920ada88adcf349a83f";

    #[test]
    fn compressed_bodies_differ_little_in_length() {
        let sealed_bytes = |distinct: u32| {
            let text: Vec<u8> =
                (0..60_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 % distinct as u8).collect();
            key(1).seal(Context::Block, &[], &text).len() - VolumeKey::OVERHEAD_BYTES
        };
        for distinct in 2..9 {
            let bytes = sealed_bytes(distinct);
            assert_eq!(crate::padding::padded(bytes), bytes);
        }
    }

    proptest! {
        #[test]
        fn any_body_comes_back(body in proptest::collection::vec(any::<u8>(), 0..3000), zeros in 0..200_000usize, links in 0..4u8) {
            let body = [body, vec![0; zeros]].concat();
            let links: Vec<_> = (0..links).map(name).collect();
            let sealed = key(3).seal(Context::Block, &links, &body);
            prop_assert_eq!(key(3).open(Context::Block, &links, &sealed).unwrap(), body);
        }

        #[test]
        fn arbitrary_bytes_do_not_open(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(key(3).open(Context::Block, &[], &bytes).is_err());
        }
    }
}
