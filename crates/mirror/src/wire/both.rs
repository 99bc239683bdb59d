//! The messages of a two-way sync as bytes.

use super::message::{malformed, put_part, put_volume, take, take_array, take_flags, take_part, take_volume, text};
use crate::Result;
use crate::both::{Adoption, Line, LineKind, Looked, Merge};
use block::Name;
use bytes::{Buf, BufMut, Bytes};
use volume::{Age, ConflictKind, Happened, Meeting, Past, Peer, State, Timestamp, Witness};

/// One message of a two-way sync.
#[derive(Debug)]
pub(crate) enum BothMessage {
    /// Opens a volume, by name or identity, or looks at the one that is open (empty). Answered by [`BothMessage::Looked`],
    /// [`BothMessage::Past`]s and an end.
    Look(String),
    /// A volume as it is, and of its past how old it is.
    Looked(Looked),
    /// Some of what it has had.
    Past(Past),
    /// Merges a state that was sent. Answered by [`BothMessage::Lines`] and [`BothMessage::Merged`].
    Merge(Merge),
    /// Some of what a merge did.
    Lines(Vec<Line>),
    /// The merged state.
    Merged(State),
    /// Takes over a merged state. Answered by [`BothMessage::Adopted`].
    Adopt(Adoption),
    /// Whether it was taken over.
    Adopted(bool),
    /// Notes a state in common. Answered by an end.
    Note { peer: Peer, root: Option<Name> },
}

pub(super) const FIRST_KIND: u8 = 32;
pub(super) const LAST_KIND: u8 = 40;

const DRY_RUN: u8 = 1;
const HAS_BASE: u8 = 2;

impl BothMessage {
    pub(super) fn kind(&self) -> u8 {
        FIRST_KIND
            + match self {
                Self::Look(_) => 0,
                Self::Looked(_) => 1,
                Self::Past(_) => 2,
                Self::Merge(_) => 3,
                Self::Lines(_) => 4,
                Self::Merged(_) => 5,
                Self::Adopt(_) => 6,
                Self::Adopted(_) => 7,
                Self::Note { .. } => 8,
            }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Look(which) => bytes.put_slice(which.as_bytes()),
            Self::Looked(looked) => {
                bytes.put_u8(looked.is_replica as u8);
                bytes.put_slice(&looked.peer);
                bytes.put_u64_le(looked.past.age.incarnation);
                bytes.put_u64_le(looked.past.age.sequence);
                put_volume(bytes, &looked.identity, &looked.name, &looked.state);
            }
            Self::Past(past) => put_past(bytes, past),
            Self::Merge(merge) => {
                let dry_run = if merge.is_dry_run { DRY_RUN } else { 0 };
                bytes.put_u8(dry_run | if merge.base.is_some() { HAS_BASE } else { 0 });
                bytes.put_slice(&merge.peer);
                put_root(bytes, merge.base.unwrap_or_default());
                put_part(bytes, merge.label.as_bytes());
                bytes.put_slice(&merge.theirs.encode());
            }
            Self::Lines(lines) => lines.iter().for_each(|line| put_line(bytes, line)),
            Self::Merged(state) => bytes.put_slice(&state.encode()),
            Self::Adopt(Adoption { state, expected, peer, base }) => {
                bytes.put_slice(peer);
                put_root(bytes, *expected);
                put_root(bytes, *base);
                bytes.put_slice(&state.encode());
            }
            Self::Adopted(is_adopted) => bytes.put_u8(*is_adopted as u8),
            Self::Note { peer, root } => {
                bytes.put_slice(peer);
                put_root(bytes, *root);
            }
        }
    }

    pub(super) fn decode(kind: u8, bytes: &mut Bytes) -> Result<Self> {
        Ok(match kind - FIRST_KIND {
            0 => Self::Look(text(bytes.split_off(0))?),
            1 => {
                let is_replica = take_flags(bytes, 1)? != 0;
                let peer = take_array(bytes)?;
                let mut number = || bytes.try_get_u64_le().map_err(|_| malformed());
                let age = Age { incarnation: number()?, sequence: number()? };
                let (identity, name, state) = take_volume(bytes)?;
                let past = Past { age, ..Past::default() };
                Self::Looked(Looked { identity, name, peer, is_replica, state, past })
            }
            2 => Self::Past(take_past(bytes)?),
            3 => {
                let flags = take_flags(bytes, DRY_RUN | HAS_BASE)?;
                let (peer, base) = (take_array(bytes)?, take_root(bytes)?);
                if base.is_some() && flags & HAS_BASE == 0 {
                    return Err(malformed());
                }
                let base = (flags & HAS_BASE != 0).then_some(base);
                let (label, theirs) = (text(take_part(bytes)?)?, take_state(bytes)?);
                Self::Merge(Merge { theirs, base, peer, label, is_dry_run: flags & DRY_RUN != 0 })
            }
            4 => {
                let mut lines = Vec::new();
                while !bytes.is_empty() {
                    lines.push(take_line(bytes)?);
                }
                Self::Lines(lines)
            }
            5 => Self::Merged(take_state(bytes)?),
            6 => {
                let (peer, expected, base) = (take_array(bytes)?, take_root(bytes)?, take_root(bytes)?);
                Self::Adopt(Adoption { state: take_state(bytes)?, expected, peer, base })
            }
            7 => Self::Adopted(take_flags(bytes, 1)? != 0),
            8 => Self::Note { peer: take_array(bytes)?, root: take_root(bytes)? },
            _ => return Err(malformed()),
        })
    }
}

fn put_root(bytes: &mut Vec<u8>, root: Option<Name>) {
    bytes.put_u8(root.is_some() as u8);
    root.iter().for_each(|name| bytes.put_slice(name.as_bytes()));
}

fn take_root(bytes: &mut Bytes) -> Result<Option<Name>> {
    Ok(match take_flags(bytes, 1)? {
        0 => None,
        _ => Some(Name::from_bytes(take_array(bytes)?)),
    })
}

fn take_state(bytes: &mut Bytes) -> Result<State> {
    State::decode(&bytes.split_off(0)).map_err(|_| malformed())
}

fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    bytes.put_i64_le(time.seconds);
    bytes.put_u32_le(time.nanoseconds);
}

fn take_time(bytes: &mut Bytes) -> Result<Timestamp> {
    let seconds = bytes.try_get_i64_le().map_err(|_| malformed())?;
    let nanoseconds = bytes.try_get_u32_le().map_err(|_| malformed())?;
    if nanoseconds < 1_000_000_000 { Ok(Timestamp { seconds, nanoseconds }) } else { Err(malformed()) }
}

const STATE: u8 = 0;
const MEETING: u8 = 1;
const WITNESSED: u8 = 2;

fn put_past(bytes: &mut Vec<u8>, past: &Past) {
    for (root, since) in &past.states {
        bytes.put_u8(STATE);
        put_root(bytes, *root);
        put_time(bytes, *since);
    }
    for (peer, Meeting { tree, noted, witness }) in &past.meetings {
        bytes.put_u8(MEETING | if witness.is_some() { WITNESSED } else { 0 });
        bytes.put_slice(peer);
        put_root(bytes, *tree);
        put_time(bytes, *noted);
        witness.iter().for_each(|witness| bytes.put_slice(&witness.encode()));
    }
}

/// Takes what [`put_past`] writes: states before meetings, each in order, none twice.
fn take_past(bytes: &mut Bytes) -> Result<Past> {
    let mut past = Past::default();
    let sent = bytes.clone();
    while !bytes.is_empty() {
        match take_flags(bytes, MEETING | WITNESSED)? {
            STATE => drop(past.states.insert(take_root(bytes)?, take_time(bytes)?)),
            WITNESSED => return Err(malformed()),
            flags => {
                let (peer, tree, noted) = (take_array(bytes)?, take_root(bytes)?, take_time(bytes)?);
                let has_witness = flags & WITNESSED != 0;
                let witness = has_witness.then(|| take_witness(bytes)).transpose()?;
                past.meetings.insert(peer, Meeting { tree, noted, witness });
            }
        }
    }
    let mut in_order = Vec::with_capacity(sent.len());
    put_past(&mut in_order, &past);
    if in_order == sent { Ok(past) } else { Err(malformed()) }
}

fn take_witness(bytes: &mut Bytes) -> Result<Witness> {
    Witness::decode(&take(bytes, Witness::BYTES)?).map_err(|_| malformed())
}

const HAPPENED: [Happened; 4] = [Happened::Added, Happened::Removed, Happened::Renamed, Happened::Changed];

const CONFLICTS: [ConflictKind; 8] = [
    ConflictKind::BothWrote,
    ConflictKind::SameName,
    ConflictKind::BothMoved,
    ConflictKind::CrossingMoves,
    ConflictKind::ChangedAndDeleted,
    ConflictKind::MovedAndDeleted,
    ConflictKind::DirectoryInUse,
    ConflictKind::Attributes,
];

/// The first byte of a line: what it is about in the upper half, which of those in the lower.
const HERE: u8 = 0x00;
const THERE: u8 = 0x10;
const CONFLICT: u8 = 0x20;

fn index_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).unwrap_or_default() as u8
}

fn put_line(bytes: &mut Vec<u8>, Line { kind, path, other }: &Line) {
    bytes.put_u8(match kind {
        LineKind::Here(happened) => HERE | index_of(&HAPPENED, happened),
        LineKind::There(happened) => THERE | index_of(&HAPPENED, happened),
        LineKind::Conflict(conflict) => CONFLICT | index_of(&CONFLICTS, conflict),
    });
    bytes.put_u8(other.is_some() as u8);
    for path in [Some(path), other.as_ref()].into_iter().flatten() {
        bytes.put_u32_le(path.len() as u32);
        bytes.put_slice(path);
    }
}

fn take_line(bytes: &mut Bytes) -> Result<Line> {
    let byte = bytes.try_get_u8().map_err(|_| malformed())?;
    let index = (byte & 0x0f) as usize;
    let happened = || HAPPENED.get(index).copied().ok_or_else(malformed);
    let kind = match byte & 0xf0 {
        HERE => LineKind::Here(happened()?),
        THERE => LineKind::There(happened()?),
        CONFLICT => LineKind::Conflict(CONFLICTS.get(index).copied().ok_or_else(malformed)?),
        _ => return Err(malformed()),
    };
    let has_other = take_flags(bytes, 1)? != 0;
    let path = take_path(bytes)?;
    Ok(Line { kind, path, other: has_other.then(|| take_path(bytes)).transpose()? })
}

fn take_path(bytes: &mut Bytes) -> Result<Vec<u8>> {
    let length = bytes.try_get_u32_le().map_err(|_| malformed())?;
    Ok(take(bytes, length as usize)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::message::{Message, fuzz_message};
    use super::*;
    use volume::VolumeIdentity;

    #[test]
    fn messages_of_two_way_syncs_come_back_as_they_were_and_cut_ones_are_refused() {
        let state = State::decode(&[&[1, 1][..], &[7; 32 + 24 + 8 + 8], &[0; 4]].concat()).unwrap();
        let (root, peer) = (Some(Name::from_bytes([3; 32])), [4; 16]);
        let noted = Timestamp { seconds: -5, nanoseconds: 6 };
        let age = Age { incarnation: 7, sequence: 8 };
        let past = Past {
            states: [(None, noted), (root, noted)].into(),
            meetings: [
                (peer, Meeting { tree: root, noted, witness: None }),
                ([5; 16], Meeting { tree: root, noted, witness: Some(Witness { age, taken: noted, tag: [9; 32] }) }),
            ]
            .into(),
            age: Age::default(),
        };
        let looked = Looked {
            identity: VolumeIdentity([5; 16]),
            name: "main".into(),
            peer,
            is_replica: true,
            state,
            past: Past { age, ..Past::default() },
        };
        let line = |kind, other| Line { kind, path: b"a/b".to_vec(), other };
        let lines = vec![
            line(LineKind::Here(Happened::Renamed), Some(b"c".to_vec())),
            line(LineKind::There(Happened::Changed), None),
            line(LineKind::Conflict(ConflictKind::Attributes), Some(Vec::new())),
        ];
        let merge = |base| Merge { theirs: state, base, peer, label: "there".into(), is_dry_run: true };
        let messages = [
            BothMessage::Look("main".into()),
            BothMessage::Looked(looked),
            BothMessage::Past(past),
            BothMessage::Merge(merge(None)),
            BothMessage::Merge(merge(Some(None))),
            BothMessage::Merge(merge(Some(root))),
            BothMessage::Lines(lines),
            BothMessage::Merged(state),
            BothMessage::Adopt(Adoption { state, expected: root, peer, base: None }),
            BothMessage::Adopted(true),
            BothMessage::Note { peer, root },
        ];
        for message in messages {
            let message = Message::Both(message);
            let bytes = message.encode();
            let decoded = Message::decode(bytes.clone().into()).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
            (0..=bytes.len()).for_each(|length| fuzz_message(&bytes[..length]));
        }
    }

    #[test]
    fn a_past_that_says_something_twice_or_out_of_order_is_refused() {
        let noted = Timestamp { seconds: 1, nanoseconds: 0 };
        let state = |root| {
            let past = Past { states: [(root, noted)].into(), ..Past::default() };
            Message::Both(BothMessage::Past(past)).encode()
        };
        let (kind, none, some) = (&state(None)[..1], &state(None)[1..], &state(Some(Name::from_bytes([3; 32])))[1..]);
        assert!(Message::decode([kind, none, some].concat().into()).is_ok());
        assert!(Message::decode([kind, some, none].concat().into()).is_err());
        assert!(Message::decode([kind, none, none].concat().into()).is_err());
    }
}
