//! Who had a state as its own, and how old it was then: what a replica notes of its source, which notes nothing.
//!
//! What a side says of another one may make files go that the other one lacks, so that of an encrypted volume is tagged: a holder without
//! the key hands witnesses on and can make none.

use super::{Meeting, Peer};
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::contents::Encryption;
use crate::limits::MEETINGS_MAX;
use crate::{Result, Timestamp, record};
use block::Name;
use std::collections::BTreeMap;

/// How far the life of a volume has come. It goes back only where a whole store does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Age {
    /// How often another's state has replaced the volume's own.
    pub incarnation: u64,
    /// The last group of changes, by its number.
    pub sequence: u64,
}

impl Age {
    /// Whether what a volume has at this age comes from what it had at an earlier one.
    pub fn continues(self, earlier: Self) -> bool {
        self.incarnation == earlier.incarnation && self.sequence >= earlier.sequence
    }
}

/// That a volume had a state as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// How old the volume was then.
    pub age: Age,
    /// When that was, by the clock of whoever took the state.
    pub taken: Timestamp,
    /// What authenticates it, of an encrypted volume; otherwise zeros.
    pub tag: [u8; TAG_BYTES],
}

const TAG_BYTES: usize = 32;

const PURPOSE: &str = "witness";

impl Witness {
    /// As bytes.
    pub const BYTES: usize = 28 + TAG_BYTES;

    /// The witness as bytes: `docs/format.md`, "The kept tree".
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        self.put(&mut bytes);
        bytes
    }

    /// Takes bytes for a witness.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        record::whole(bytes, Self::read).map_err(damaged)
    }

    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.age.incarnation);
        bytes.put_u64(self.age.sequence);
        record::put_timestamp(bytes, self.taken);
        bytes.extend_from_slice(&self.tag);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        let age = Age { incarnation: reader.u64()?, sequence: reader.u64()? };
        let taken = record::timestamp(reader)?;
        let tag = reader.bytes(TAG_BYTES)?.try_into().map_err(|_| Malformed::Bytes)?;
        Ok(Self { age, taken, tag })
    }
}

impl Encryption {
    /// A witness with its tag; an error if the volume is locked.
    pub(crate) fn tagged(&self, peer: &Peer, tree: Option<Name>, witness: Witness) -> Result<Witness> {
        let tag = self.key_or_error()?.authenticate(PURPOSE, &self.claim(peer, tree, &witness));
        Ok(Witness { tag, ..witness })
    }

    /// A meeting without its witness, if nobody with the key made that, or if it cannot be told.
    pub(crate) fn believed(&self, peer: &Peer, meeting: Meeting) -> Meeting {
        let is_authentic = |witness: &Witness| {
            let claim = self.claim(peer, meeting.tree, witness);
            self.key().is_some_and(|key| key.is_authentic(PURPOSE, &claim, &witness.tag))
        };
        Meeting { witness: meeting.witness.filter(is_authentic), ..meeting }
    }

    fn claim(&self, peer: &Peer, tree: Option<Name>, witness: &Witness) -> Vec<u8> {
        let mut claim = self.identity.0.to_vec();
        claim.extend_from_slice(peer);
        claim.push(tree.is_some() as u8);
        tree.iter().for_each(|tree| claim.extend_from_slice(tree.as_bytes()));
        Witness { tag: [0; TAG_BYTES], ..*witness }.put(&mut claim);
        claim
    }
}

/// Those who had a state as their own, at most [`MEETINGS_MAX`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(BTreeMap<Peer, Witness>);

impl FromIterator<(Peer, Witness)> for Witnesses {
    /// As many as there can be.
    fn from_iter<T: IntoIterator<Item = (Peer, Witness)>>(witnesses: T) -> Self {
        Self(witnesses.into_iter().take(MEETINGS_MAX).collect())
    }
}

impl Witnesses {
    /// Whether a state that these had is the past of one that others have: there was nothing, it is the same, or one of these is among
    /// them and has only gone on.
    pub fn had_past_of(&self, before: Option<Name>, (after, later): (Option<Name>, &Self)) -> bool {
        let goes_on =
            |(peer, then): (&Peer, &Witness)| later.0.get(peer).is_some_and(|now| now.age.continues(then.age));
        before.is_none() || before == after || self.0.iter().any(goes_on)
    }

    /// All of them, by their stores.
    pub fn iter(&self) -> impl Iterator<Item = (Peer, Witness)> {
        self.0.iter().map(|(peer, witness)| (*peer, *witness))
    }

    /// The witnesses as bytes: `docs/protocol.md`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * (size_of::<Peer>() + Witness::BYTES));
        for (peer, witness) in self.iter() {
            bytes.extend_from_slice(&peer);
            witness.put(&mut bytes);
        }
        bytes
    }

    /// Takes bytes for witnesses: each once, in the order of their stores.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let read = |reader: &mut Reader<'_>| {
            let mut witnesses = BTreeMap::new();
            while !reader.is_empty() {
                let peer = reader.bytes(size_of::<Peer>())?.try_into().map_err(|_| Malformed::Bytes)?;
                let is_in_order = witnesses.last_key_value().is_none_or(|(last, _)| *last < peer);
                if !is_in_order || witnesses.len() == MEETINGS_MAX {
                    return Err(Malformed::Bytes);
                }
                witnesses.insert(peer, Witness::read(reader)?);
            }
            Ok(Self(witnesses))
        };
        record::whole(bytes, read).map_err(damaged)
    }
}

fn damaged(malformed: Malformed) -> crate::Error {
    malformed.in_volume("who had a state of a mirrored volume")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(sequence: u64) -> Witness {
        let age = Age { incarnation: 3, sequence };
        Witness { age, taken: Timestamp { seconds: -1, nanoseconds: 7 }, tag: [6; TAG_BYTES] }
    }

    #[test]
    fn witnesses_come_back_as_they_were_and_others_are_refused() {
        let all: Witnesses = (0..20).map(|peer| ([peer; 16], witness(u64::from(peer)))).collect();
        assert_eq!(all.iter().count(), MEETINGS_MAX);
        let bytes = all.encode();
        assert_eq!(Witnesses::decode(&bytes).unwrap(), all);
        let each = bytes.len() / MEETINGS_MAX;
        assert!((0..bytes.len()).all(|length| Witnesses::decode(&bytes[..length]).is_err() == (length % each != 0)));
        let (first, second) = (&bytes[..each], &bytes[each..2 * each]);
        for refused in
            [[first, first].concat(), [second, first].concat(), [&bytes[..], &[0xff; 16 + Witness::BYTES]].concat()]
        {
            assert!(Witnesses::decode(&refused).is_err());
        }
    }

    #[test]
    fn an_age_continues_an_earlier_one_of_the_same_incarnation() {
        let age = |incarnation, sequence| Age { incarnation, sequence };
        assert!(age(1, 5).continues(age(1, 5)) && age(1, 6).continues(age(1, 5)));
        assert!(!age(1, 4).continues(age(1, 5)), "the store is an older copy");
        assert!(!age(2, 9).continues(age(1, 5)) && !age(0, 9).continues(age(1, 5)));
    }
}
