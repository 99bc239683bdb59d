//! Keys of the kept tree: `docs/format.md`, "The kept tree".

use crate::Timestamp;
use bytes::Bytes;
use std::fmt;

/// First byte of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    /// Made by a checkpoint.
    History = 1,
    /// Made by somebody, under a name.
    Snapshot = 2,
}

/// First byte of the key that finds a snapshot by its name.
const BY_NAME: u8 = 3;

/// First byte of the key of a meeting.
const MEETING: u8 = 4;

/// The key of what a volume knows of its own life.
pub(super) const LIFE: [u8; 1] = [5];

impl Kind {
    /// Behind the last key of the kind.
    pub(super) fn end(self) -> [u8; 1] {
        [self as u8 + 1]
    }
}

/// Which kept root: no two of a volume have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptId {
    pub(super) kind: Kind,
    /// When the state was taken.
    pub(super) taken: Timestamp,
    /// Tells those of one moment apart.
    pub(super) number: u32,
}

/// Turns the order of signed numbers into that of bytes.
const SIGN: u64 = 1 << 63;

impl KeptId {
    /// The first of a kind.
    pub(super) fn first(kind: Kind) -> Self {
        Self::first_at(kind, Timestamp { seconds: i64::MIN, nanoseconds: 0 })
    }

    /// The first of a kind that may have been taken at a time.
    pub(super) fn first_at(kind: Kind, taken: Timestamp) -> Self {
        Self { kind, taken, number: 0 }
    }

    /// The last of a kind that may have been taken at a time.
    pub(super) fn last_at(kind: Kind, taken: Timestamp) -> Self {
        Self { kind, taken, number: u32::MAX }
    }

    /// Whether it is a snapshot's, and not one of history.
    pub fn is_snapshot(self) -> bool {
        self.kind == Kind::Snapshot
    }

    /// When the state was taken.
    pub(crate) fn taken(self) -> Timestamp {
        self.taken
    }

    pub(crate) fn key(self) -> Bytes {
        let mut key = vec![self.kind as u8];
        key.extend_from_slice(&(self.taken.seconds as u64 ^ SIGN).to_be_bytes());
        key.extend_from_slice(&self.taken.nanoseconds.to_be_bytes());
        key.extend_from_slice(&self.number.to_be_bytes());
        key.into()
    }

    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        let kind = [Kind::History, Kind::Snapshot].into_iter().find(|known| *known as u8 == *kind)?;
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanoseconds, number) = rest.split_first_chunk()?;
        let seconds = (u64::from_be_bytes(*seconds) ^ SIGN) as i64;
        let taken = Timestamp { seconds, nanoseconds: u32::from_be_bytes(*nanoseconds) };
        Some(Self { kind, taken, number: u32::from_be_bytes(number.try_into().ok()?) })
    }
}

impl fmt::Display for KeptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:09}.{}", self.taken.seconds, self.taken.nanoseconds, self.number)
    }
}

pub(super) fn by_name(name: &str) -> Bytes {
    [&[BY_NAME], name.as_bytes()].concat().into()
}

/// Behind every key of a name.
pub(super) fn end_of_names() -> [u8; 1] {
    [BY_NAME + 1]
}

/// The name in a key that finds a snapshot.
pub(super) fn parse_name(key: &[u8]) -> Option<&str> {
    let (BY_NAME, name) = key.split_first().map(|(kind, name)| (*kind, name))? else { return None };
    std::str::from_utf8(name).ok()
}

pub(super) fn meeting(peer: [u8; 16]) -> Bytes {
    [&[MEETING], &peer[..]].concat().into()
}

/// Before every key of a meeting.
pub(super) fn first_meeting() -> [u8; 1] {
    [MEETING]
}

/// Behind every key of a meeting.
pub(super) fn end_of_meetings() -> [u8; 1] {
    [MEETING + 1]
}

/// With whom, given the key of a meeting.
pub(super) fn parse_meeting(key: &[u8]) -> Option<[u8; 16]> {
    let (MEETING, peer) = key.split_first().map(|(kind, peer)| (*kind, peer))? else { return None };
    peer.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_time_also_before_1970() {
        let at = |seconds, nanoseconds, number| KeptId {
            kind: Kind::History,
            taken: Timestamp { seconds, nanoseconds },
            number,
        };
        let ids = [at(i64::MIN, 0, 0), at(-1, 5, 0), at(0, 0, 0), at(0, 0, 1), at(0, 1, 0), at(256, 0, 0)];
        let keys: Vec<_> = ids.iter().map(|id| id.key()).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys.iter().zip(ids).all(|(key, id)| KeptId::parse(key) == Some(id)));
    }
}
