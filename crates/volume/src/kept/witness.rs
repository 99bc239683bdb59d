//! Who had a state as its own, and how old it was then: what a replica notes of its source, which notes nothing.

use super::Peer;
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::limits::MEETINGS_MAX;
use crate::{Result, Timestamp, record};
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
}

impl Witness {
    /// As bytes.
    pub const BYTES: usize = 28;

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
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        let age = Age { incarnation: reader.u64()?, sequence: reader.u64()? };
        Ok(Self { age, taken: record::timestamp(reader)? })
    }
}

/// Those who had a state as their own, at most [`MEETINGS_MAX`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(BTreeMap<Peer, Witness>);

impl Witnesses {
    /// This one, and others as long as there is room.
    pub fn new((peer, witness): (Peer, Witness), others: impl IntoIterator<Item = (Peer, Witness)>) -> Self {
        let mut witnesses: BTreeMap<_, _> =
            others.into_iter().filter(|(other, _)| *other != peer).take(MEETINGS_MAX - 1).collect();
        witnesses.insert(peer, witness);
        Self(witnesses)
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
        Witness { age, taken: Timestamp { seconds: -1, nanoseconds: 7 } }
    }

    #[test]
    fn witnesses_come_back_as_they_were_and_others_are_refused() {
        let all = Witnesses::new(([5; 16], witness(1)), (0..20).map(|peer| ([peer; 16], witness(2))));
        assert_eq!(all.iter().count(), MEETINGS_MAX);
        assert!(all.iter().any(|(peer, of)| peer == [5; 16] && of == witness(1)));
        let bytes = all.encode();
        assert_eq!(Witnesses::decode(&bytes).unwrap(), all);
        let each = bytes.len() / MEETINGS_MAX;
        assert!((0..bytes.len()).all(|length| Witnesses::decode(&bytes[..length]).is_err() == (length % each != 0)));
        let (first, second) = (&bytes[..each], &bytes[each..2 * each]);
        for refused in [[first, first].concat(), [second, first].concat(), [&bytes[..], &[0xff; 44]].concat()] {
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
