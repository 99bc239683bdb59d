//! The states in which a volume met others of the same identity: what a two-way sync begins with the next time.
//!
//! One per other side, in the kept tree, so that it comes into force with the state that was made there: nothing is lost and nothing
//! is taken twice if a sync is cut off. `docs/format.md`, "The kept tree".
//!
//! After a two-way sync both sides note the state. What a replica received its source had too, but the source notes nothing: the
//! replica says how old the source was then, which tells whether what the source is now comes from it.

use super::{Kept, KeptRoot, Witness, key};
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::limits::MEETINGS_MAX;
use crate::{Result, Timestamp, record};
use block::Name;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use tree::{Edit, Mapped};

/// The other side of a two-way sync: the identity of its store.
pub type Peer = [u8; 16];

/// Of a meeting that both sides noted.
const VERSION: u8 = 1;

/// Of one with a witness.
const WITNESSED_VERSION: u8 = 2;

/// Of a life.
const LIFE_VERSION: u8 = 1;

/// What a volume knows of its own life.
#[derive(Clone, Copy, Default)]
struct Life {
    incarnation: u64,
    shares_lane: bool,
}

/// A state that two sides had in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The root of its tree.
    pub tree: Option<Name>,
    /// When it was noted here.
    pub noted: Timestamp,
    /// Where the other side has not noted it too: that it had the state.
    pub witness: Option<Witness>,
}

impl Life {
    fn entry(&self) -> (Bytes, Option<Mapped>) {
        let mut value = vec![LIFE_VERSION, self.shares_lane as u8];
        value.put_u64(self.incarnation);
        (Bytes::from_static(&key::LIFE), Some((value.into(), None)))
    }
}

impl Kept {
    /// How often the state of another volume has replaced this one's.
    pub(crate) fn incarnation(&self) -> Result<u64> {
        Ok(self.life()?.incarnation)
    }

    /// Whether numbers of inodes are given here that others may give too, because the volume was promoted while it was locked.
    pub(crate) fn shares_lane(&self) -> Result<bool> {
        Ok(self.life()?.shares_lane)
    }

    /// Of a volume of which that is so, or not.
    pub(crate) fn in_shared_lane(&self, shares_lane: bool) -> Result<Self> {
        let life = self.life()?;
        if life.shares_lane == shares_lane {
            return Ok(self.clone());
        }
        self.with_edits([Life { shares_lane, ..life }.entry()].into())
    }

    fn life(&self) -> Result<Life> {
        let Some((value, _)) = self.tree.get(&key::LIFE)? else { return Ok(Life::default()) };
        let read = |reader: &mut Reader<'_>| {
            reader.version(LIFE_VERSION)?;
            let shares_lane = match reader.u8()? {
                flag @ 0..=1 => flag == 1,
                _ => return Err(Malformed::Bytes),
            };
            Ok(Life { shares_lane, incarnation: reader.u64()? })
        };
        record::whole(&value, read).map_err(|malformed| malformed.in_volume("what the volume knows of its life"))
    }

    /// Of the next incarnation, which has met nobody and has no past yet.
    pub(crate) fn reborn(&self) -> Result<Self> {
        let life = self.life()?;
        let mut edits = BTreeMap::from([Life { incarnation: life.incarnation + 1, ..life }.entry()]);
        for root in self.roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = KeptRoot { is_earlier: true, ..root? };
            let (key, value) = root.parts();
            edits.insert(key, Some((value, root.tree)));
        }
        self.without_meetings()?.with_edits(edits)
    }

    /// Without any: what it met says nothing of the state that it has now, or others say it.
    pub(crate) fn without_meetings(&self) -> Result<Self> {
        let edits: BTreeMap<_, _> = self.meetings()?.into_keys().map(|peer| (key::meeting(peer), None)).collect();
        if edits.is_empty() { Ok(self.clone()) } else { self.with_edits(edits) }
    }

    /// The states in which the volume met others, by whom.
    pub(crate) fn meetings(&self) -> Result<BTreeMap<Peer, Meeting>> {
        let mut meetings = BTreeMap::new();
        for entry in self.tree.range(&key::first_meeting(), Bound::Excluded(&key::end_of_meetings()))? {
            let (key, value, tree) = entry?;
            let parsed =
                key::parse_meeting(&key).ok_or(Malformed::Bytes).and_then(|peer| Ok((peer, parse(&value, tree)?)));
            let (peer, meeting) = parsed.map_err(|malformed| malformed.in_volume("a meeting of two-way syncs"))?;
            meetings.insert(peer, meeting);
        }
        Ok(meetings)
    }

    /// With the state in which it met another side. Whom it has not met for longest is forgotten if there are too many.
    pub(crate) fn with_meeting(&self, peer: Peer, meeting: Meeting) -> Result<Self> {
        let mut value = vec![if meeting.witness.is_some() { WITNESSED_VERSION } else { VERSION }];
        record::put_timestamp(&mut value, meeting.noted);
        meeting.witness.iter().for_each(|witness| witness.put(&mut value));
        let mut others = self.meetings()?;
        others.remove(&peer);
        let mut edits = BTreeMap::from([(key::meeting(peer), Some((Bytes::from(value), meeting.tree)))]);
        while others.len() >= MEETINGS_MAX {
            let oldest = others.iter().min_by_key(|(_, meeting)| meeting.noted).map(|(peer, _)| *peer);
            let Some(oldest) = oldest else { break };
            others.remove(&oldest);
            edits.insert(key::meeting(oldest), None);
        }
        self.with_edits(edits)
    }

    fn with_edits(&self, edits: BTreeMap<Bytes, Option<Mapped>>) -> Result<Self> {
        let edit = |(key, mapped)| match mapped {
            Some((value, link)) => Edit::Put { key, value, link },
            None => Edit::Delete { key },
        };
        Ok(Self { tree: self.tree.apply(edits.into_iter().map(edit).collect())? })
    }

    /// Every state that is kept and from which the volume's comes, with the time at which it came here first.
    pub(crate) fn states(&self) -> Result<BTreeMap<Option<Name>, Timestamp>> {
        let mut states = BTreeMap::new();
        for root in self.roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = root?;
            if root.is_earlier {
                continue;
            }
            states.entry(root.tree).or_insert(root.taken());
        }
        for meeting in self.meetings()?.into_values() {
            states.entry(meeting.tree).or_insert(meeting.noted);
        }
        Ok(states)
    }
}

fn parse(value: &[u8], tree: Option<Name>) -> Parsed<Meeting> {
    record::whole(value, |reader| {
        let version = match reader.u8()? {
            version @ VERSION..=WITNESSED_VERSION => version,
            0 => return Err(Malformed::Bytes),
            _ => return Err(Malformed::Newer),
        };
        let noted = record::timestamp(reader)?;
        let witness = if version == WITNESSED_VERSION { Some(Witness::read(reader)?) } else { None };
        Ok(Meeting { tree, noted, witness })
    })
}
