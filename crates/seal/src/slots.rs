//! Key slots: a volume's key, wrapped once for each passphrase, key file and recovery key that opens it.
//!
//! The table of slots is no secret. It travels with the volume's root record, so whoever has a replica and a passphrase has the volume.
//! `docs/format.md`, "Key slots" draws it.
//!
//! Invariants:
//!
//! - Each slot wraps the same key. It never changes; only ways to it come and go, and nothing is encrypted anew.
//! - The table has a tag that only the volume's key makes: nobody else adds a slot or gives an old one other parameters.
//! - What a table asks for (memory, time) is bounded before it is believed.

mod cost;
mod unlocking;

pub use cost::Cost;
pub use unlocking::Unlocking;

use crate::key::random_bytes;
use crate::limits::SLOTS_MAX;
use crate::{Error, Result, VolumeKey};
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

/// What opens a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A passphrase, through Argon2id.
    Passphrase,
    /// The bytes of a file.
    KeyFile,
    /// A recovery key.
    Recovery,
}

/// A way to a volume's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number, which stays.
    pub number: u8,
    /// What opens it.
    pub kind: SlotKind,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 12],
    wrapped: [u8; 48],
}

/// All ways to a volume's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlots {
    generation: u64,
    slots: Vec<Slot>,
    tag: [u8; 32],
}

const VERSION: u8 = 1;
/// AES-256-GCM-SIV, with keys and nonces as this version makes them.
const CIPHER: u8 = 1;
const HEADER_BYTES: usize = 12;
const SLOT_BYTES: usize = 96;
const TAG_BYTES: usize = 32;
const TAG_PURPOSE: &str = "key slots";

impl KeySlots {
    /// Longest encoded form, in bytes.
    pub const ENCODED_BYTES_MAX: usize = HEADER_BYTES + SLOTS_MAX * SLOT_BYTES + TAG_BYTES;

    /// A table with one slot.
    pub fn new(key: &VolumeKey, unlocking: &Unlocking, cost: Cost) -> Result<Self> {
        let mut table = Self { generation: 0, slots: Vec::new(), tag: [0; 32] };
        table.add(key, unlocking, cost)?;
        Ok(table)
    }

    /// The slots, in the order of their numbers.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Goes up with each change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The volume's key. Takes as long as its slots ask for.
    pub fn unlock(&self, unlocking: &Unlocking) -> Result<VolumeKey> {
        let (key, _) = self.unlock_slot(unlocking)?;
        Ok(key)
    }

    /// The volume's key, and the number of the slot that gave it.
    pub fn unlock_slot(&self, unlocking: &Unlocking) -> Result<(VolumeKey, u8)> {
        for slot in self.slots.iter().filter(|slot| slot.kind == unlocking.kind()) {
            if let Some(key) = slot.unwrap(unlocking)? {
                self.verify(&key)?;
                return Ok((key, slot.number));
            }
        }
        Err(Error::WrongKey { what: unlocking.what(), there: self.describe() })
    }

    /// Checks that the table is one that a holder of this key made.
    pub fn verify(&self, key: &VolumeKey) -> Result<()> {
        match key.is_authentic(TAG_PURPOSE, &self.untagged(), &self.tag) {
            true => Ok(()),
            false => Err(Error::DamagedSlots("their tag is not that of the volume's key")),
        }
    }

    /// Adds a way to the key; returns the slot's number.
    pub fn add(&mut self, key: &VolumeKey, unlocking: &Unlocking, cost: Cost) -> Result<u8> {
        let is_free = |number: &u8| self.slots.iter().all(|slot| slot.number != *number);
        let number = (0..SLOTS_MAX as u8).find(is_free).ok_or(Error::SlotsFull)?;
        unlocking.check()?;
        self.slots.push(Slot::wrap(number, key, unlocking, cost)?);
        self.slots.sort_by_key(|slot| slot.number);
        self.tag_anew(key);
        Ok(number)
    }

    /// Removes a way to the key. The last one stays.
    pub fn remove(&mut self, key: &VolumeKey, number: u8) -> Result<()> {
        let at = self.slots.iter().position(|slot| slot.number == number).ok_or(Error::NoSuchSlot(number))?;
        if self.slots.len() == 1 {
            return Err(Error::LastSlot);
        }
        self.slots.remove(at);
        self.tag_anew(key);
        Ok(())
    }

    fn tag_anew(&mut self, key: &VolumeKey) {
        self.generation += 1;
        self.tag = key.authenticate(TAG_PURPOSE, &self.untagged());
    }

    fn describe(&self) -> String {
        let count = |kind, one: &str, more: &str| match self.slots.iter().filter(|slot| slot.kind == kind).count() {
            0 => None,
            1 => Some(format!("one {one}")),
            count => Some(format!("{count} {more}")),
        };
        let ways = [
            count(SlotKind::Passphrase, "passphrase", "passphrases"),
            count(SlotKind::KeyFile, "key file", "key files"),
            count(SlotKind::Recovery, "recovery key", "recovery keys"),
        ];
        format!("it opens with {}", ways.into_iter().flatten().collect::<Vec<_>>().join(" or "))
    }

    /// The table as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.untagged();
        bytes.extend_from_slice(&self.tag);
        bytes
    }

    fn untagged(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, CIPHER, self.slots.len() as u8, 0];
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        for slot in &self.slots {
            bytes.extend_from_slice(&slot.header());
            bytes.extend_from_slice(&slot.nonce);
            bytes.extend_from_slice(&slot.wrapped);
            bytes.extend_from_slice(&[0; 4]);
        }
        bytes
    }

    /// Takes bytes for a table. Whether a holder of the key made it, [`KeySlots::verify`] tells.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(damaged())?;
        match (header[0], header[1]) {
            (0, _) | (_, 0) => return Err(damaged()),
            (VERSION, CIPHER) => {}
            (VERSION, _) => return Err(Error::Newer("the volume's cipher")),
            _ => return Err(Error::Newer("the volume's table of key slots")),
        }
        let (slots, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(damaged())?;
        let (slots, remainder) = slots.as_chunks::<SLOT_BYTES>();
        let is_whole = remainder.is_empty() && slots.len() == header[2] as usize && header[3] == 0;
        if !is_whole || slots.is_empty() || slots.len() > SLOTS_MAX {
            return Err(damaged());
        }
        let slots = slots.iter().map(Slot::decode).collect::<Result<Vec<_>>>()?;
        if !slots.windows(2).all(|pair| pair[0].number < pair[1].number) {
            return Err(damaged());
        }
        let [.., a, b, c, d, e, f, g, h] = *header;
        Ok(Self { generation: u64::from_le_bytes([a, b, c, d, e, f, g, h]), slots, tag: *tag })
    }
}

fn damaged() -> Error {
    Error::DamagedSlots("they are not what a pantala writes")
}

const KINDS: [SlotKind; 3] = [SlotKind::Passphrase, SlotKind::KeyFile, SlotKind::Recovery];

/// Bytes of a slot that its key is bound to.
const SLOT_HEADER_BYTES: usize = 32;

impl Slot {
    fn wrap(number: u8, key: &VolumeKey, unlocking: &Unlocking, cost: Cost) -> Result<Self> {
        let (kind, cost) = (unlocking.kind(), if unlocking.is_slow() { cost } else { Cost::NONE });
        let mut slot = Self { number, kind, cost, salt: [0; 16], nonce: [0; 12], wrapped: [0; 48] };
        random_bytes(&mut slot.salt)?;
        random_bytes(&mut slot.nonce)?;
        let cipher = slot.cipher(unlocking)?;
        let mut wrapped = key.to_bytes();
        let tag = cipher
            .encrypt_inout_detached(&slot.nonce.into(), &slot.header(), (&mut wrapped[..]).into())
            .expect("a key is far below the cipher's limit of 64 GiB");
        slot.wrapped[..32].copy_from_slice(&*wrapped);
        slot.wrapped[32..].copy_from_slice(&tag);
        Ok(slot)
    }

    /// The key in it; `None` if that is not what opens it.
    fn unwrap(&self, unlocking: &Unlocking) -> Result<Option<VolumeKey>> {
        let cipher = self.cipher(unlocking)?;
        let mut key = Zeroizing::new([0; VolumeKey::BYTES]);
        let (wrapped, tag) = self.wrapped.split_at(VolumeKey::BYTES);
        key.copy_from_slice(wrapped);
        let tag = Tag::try_from(tag).expect("a wrapped key ends with a tag of 16 bytes");
        let nonce = Nonce::from(self.nonce);
        let opened = cipher.decrypt_inout_detached(&nonce, &self.header(), (&mut key[..]).into(), &tag);
        Ok(opened.is_ok().then(|| VolumeKey::from_bytes(&key)))
    }

    fn cipher(&self, unlocking: &Unlocking) -> Result<Aes256GcmSiv> {
        let key = unlocking.derive(&self.salt, self.cost)?;
        Ok(Aes256GcmSiv::new((&*key).into()))
    }

    fn header(&self) -> [u8; SLOT_HEADER_BYTES] {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).unwrap_or_default() as u8 + 1;
        let mut header = [0; SLOT_HEADER_BYTES];
        header[..4].copy_from_slice(&[self.number, kind, 0, 0]);
        header[4..16].copy_from_slice(&self.cost.to_bytes());
        header[16..].copy_from_slice(&self.salt);
        header
    }

    fn decode(bytes: &[u8; SLOT_BYTES]) -> Result<Self> {
        let [number, kind, 0, 0, ..] = *bytes else { return Err(damaged()) };
        let kind = match kind {
            0 => return Err(damaged()),
            kind => *KINDS.get(kind as usize - 1).ok_or(Error::Newer("a key slot"))?,
        };
        let part = |from: usize, to: usize| &bytes[from..to];
        if number as usize >= SLOTS_MAX || part(92, 96) != [0; 4] {
            return Err(damaged());
        }
        let cost = Cost::from_bytes(part(4, 16).try_into().expect("twelve bytes"), kind == SlotKind::Passphrase)?;
        let mut slot = Self { number, kind, cost, salt: [0; 16], nonce: [0; 12], wrapped: [0; 48] };
        slot.salt.copy_from_slice(part(16, 32));
        slot.nonce.copy_from_slice(part(32, 44));
        slot.wrapped.copy_from_slice(part(44, 92));
        Ok(slot)
    }
}

#[cfg(test)]
mod tests;
