//! The states in which a volume met others of the same identity: what a two-way sync begins with the next time.
//!
//! One per other side, in the kept tree, so that it comes into force with the state that was made there: nothing is lost and nothing
//! is taken twice if a sync is cut off. `docs/format.md`, "The kept tree".

use super::Kept;
use super::key;
use crate::codec::{Malformed, Reader};
use crate::limits::MEETINGS_MAX;
use crate::{Result, Timestamp, record};
use block::Name;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use tree::Edit;

/// The other side of a two-way sync: the identity of its store.
pub type Peer = [u8; 16];

const VERSION: u8 = 1;

/// A state that two sides had in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The root of its tree.
    pub tree: Option<Name>,
    /// When it was noted here.
    pub noted: Timestamp,
}

impl Kept {
    /// The states in which the volume met others, by whom.
    pub(crate) fn meetings(&self) -> Result<BTreeMap<Peer, Meeting>> {
        let mut meetings = BTreeMap::new();
        for entry in self.tree.range(&key::first_meeting(), Bound::Excluded(&key::end_of_meetings()))? {
            let (key, value, tree) = entry?;
            let parsed = key::parse_meeting(&key).ok_or(Malformed::Bytes).and_then(|peer| Ok((peer, noted(&value)?)));
            let (peer, noted) = parsed.map_err(|malformed| malformed.in_volume("a meeting of two-way syncs"))?;
            meetings.insert(peer, Meeting { tree, noted });
        }
        Ok(meetings)
    }

    /// With the state in which it met another side. Whom it has not met for longest is forgotten if there are too many.
    pub(crate) fn with_meeting(&self, peer: Peer, meeting: Meeting) -> Result<Self> {
        let mut value = vec![VERSION];
        record::put_timestamp(&mut value, meeting.noted);
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

    /// Without any: the state is another side's as a whole.
    pub(crate) fn without_meetings(&self) -> Result<Self> {
        let edits: BTreeMap<_, _> = self.meetings()?.into_keys().map(|peer| (key::meeting(peer), None)).collect();
        if edits.is_empty() { Ok(self.clone()) } else { self.with_edits(edits) }
    }

    fn with_edits(&self, edits: BTreeMap<Bytes, Option<(Bytes, Option<Name>)>>) -> Result<Self> {
        let edit = |(key, mapped)| match mapped {
            Some((value, link)) => Edit::Put { key, value, link },
            None => Edit::Delete { key },
        };
        Ok(Self { tree: self.tree.apply(edits.into_iter().map(edit).collect())? })
    }

    /// Every state that is kept, with the time at which it came here first.
    pub(crate) fn states(&self) -> Result<BTreeMap<Option<Name>, Timestamp>> {
        let mut states = BTreeMap::new();
        for root in self.roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = root?;
            states.entry(root.tree).or_insert(root.taken());
        }
        for meeting in self.meetings()?.into_values() {
            states.entry(meeting.tree).or_insert(meeting.noted);
        }
        Ok(states)
    }
}

fn noted(value: &[u8]) -> std::result::Result<Timestamp, Malformed> {
    let mut reader = Reader(value);
    reader.version(VERSION)?;
    record::timestamp(&mut reader)
}
