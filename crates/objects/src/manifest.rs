//! A manifest: everything that one state of a replica is. `docs/format.md`, "Object stores".
//!
//! Manifests are numbered, and one is put only where none is: so of two syncs that build on the same state one wins, and the other
//! learns of it. The newest one counts.

use crate::limits::MANIFEST_BYTES_MAX;
use crate::place::ObjectId;
use block::Name;
use bytes::{Buf, BufMut, Bytes};
use volume::{KeptRoot, State, VolumeIdentity, Witnesses};

const MAGIC: [u8; 8] = *b"PnObject";
const VERSION: u16 = 2;

/// Before it was noted who had the state.
const VERSION_WITHOUT_WITNESSES: u16 = 1;

const SUM_BYTES: usize = 32;

/// One state of a replica.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) sequence: u64,
    pub(crate) identity: VolumeIdentity,
    /// The volume's name at its source.
    pub(crate) name: String,
    pub(crate) retention: String,
    pub(crate) state: State,
    /// Who had that state as its own.
    pub(crate) witnesses: Witnesses,
    /// The oldest first.
    pub(crate) kept: Vec<KeptRoot>,
    /// The newest last.
    pub(crate) runs: Vec<Run>,
    /// What was alive when it was last looked for, in bytes.
    pub(crate) live_bytes: u64,
    /// What was added since.
    pub(crate) added_bytes: u64,
    /// Whether something that was kept is not any more, since then.
    pub(crate) has_garbage: bool,
    /// Tells this manifest from any other with its number.
    pub(crate) writer: u64,
    /// What nothing needs any more and readers may still read.
    pub(crate) retired: Vec<Retired>,
}

/// A sorted part of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// In the order of names, which do not overlap.
    pub(crate) objects: Vec<IndexObject>,
}

/// An object with entries of an index, in pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexObject {
    pub(crate) id: ObjectId,
    pub(crate) entries: u32,
    /// The first bytes of the first name of each page.
    pub(crate) firsts: Vec<u64>,
}

/// An object that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retired {
    /// In seconds since 1970.
    pub(crate) since: i64,
    pub(crate) id: ObjectId,
    /// Of the index; otherwise a pack.
    pub(crate) is_index: bool,
}

/// Why bytes are no manifest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Damaged,
    Newer(u16),
}

impl Run {
    pub(crate) fn entries(&self) -> u64 {
        self.objects.iter().map(|object| u64::from(object.entries)).sum()
    }
}

impl Manifest {
    /// Of a replica that has received nothing.
    pub(crate) fn first(identity: VolumeIdentity, name: &str, state: &State) -> Self {
        Self {
            sequence: 1,
            identity,
            name: name.to_owned(),
            retention: volume::REPLICA_RETENTION.to_owned(),
            state: state.before_anything(),
            witnesses: Witnesses::default(),
            kept: Vec::new(),
            runs: Vec::new(),
            live_bytes: 0,
            added_bytes: 0,
            has_garbage: false,
            writer: 0,
            retired: Vec::new(),
        }
    }

    /// The roots of everything that it needs.
    pub(crate) fn roots(&self) -> Vec<Name> {
        self.kept.iter().filter_map(KeptRoot::tree).chain(self.state.roots()).collect()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        bytes.put_slice(&MAGIC);
        bytes.put_u16_le(VERSION);
        bytes.put_u64_le(self.sequence);
        bytes.put_slice(&self.identity.0);
        put_short(&mut bytes, self.name.as_bytes());
        put_short(&mut bytes, self.retention.as_bytes());
        put_short(&mut bytes, &self.state.encode());
        put_short(&mut bytes, &self.witnesses.encode());
        bytes.put_u64_le(self.live_bytes);
        bytes.put_u64_le(self.added_bytes);
        bytes.put_u8(self.has_garbage as u8);
        bytes.put_u64_le(self.writer);
        bytes.put_u32_le(self.kept.len() as u32);
        self.kept.iter().for_each(|kept| put_short(&mut bytes, &kept.encode()));
        bytes.put_u32_le(self.runs.len() as u32);
        for run in &self.runs {
            bytes.put_u32_le(run.objects.len() as u32);
            for object in &run.objects {
                object.id.put(&mut bytes);
                bytes.put_u32_le(object.entries);
                bytes.put_u32_le(object.firsts.len() as u32);
                object.firsts.iter().for_each(|first| bytes.put_u64_le(*first));
            }
        }
        bytes.put_u32_le(self.retired.len() as u32);
        for retired in &self.retired {
            bytes.put_i64_le(retired.since);
            retired.id.put(&mut bytes);
            bytes.put_u8(retired.is_index as u8);
        }
        let sum = blake3::hash(&bytes);
        bytes.put_slice(sum.as_bytes());
        bytes.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let version = bytes.strip_prefix(&MAGIC).and_then(|mut rest| rest.try_get_u16_le().ok());
        let version = match version {
            Some(version @ VERSION_WITHOUT_WITNESSES..=VERSION) => version,
            Some(version) if version > VERSION => return Err(Malformed::Newer(version)),
            _ => return Err(Malformed::Damaged),
        };
        if bytes.len() < SUM_BYTES || bytes.len() > MANIFEST_BYTES_MAX {
            return Err(Malformed::Damaged);
        }
        let (body, sum) = bytes.split_at(bytes.len() - SUM_BYTES);
        if blake3::hash(body).as_bytes() != sum {
            return Err(Malformed::Damaged);
        }
        let mut rest = body.get(MAGIC.len() + 2..).ok_or(Malformed::Damaged)?;
        let manifest = parse(&mut rest, version).ok_or(Malformed::Damaged)?;
        if rest.is_empty() { Ok(manifest) } else { Err(Malformed::Damaged) }
    }
}

fn parse(bytes: &mut &[u8], version: u16) -> Option<Manifest> {
    let sequence = bytes.try_get_u64_le().ok()?;
    let identity = VolumeIdentity(take(bytes, 16)?.try_into().ok()?);
    let text = |bytes: &mut &[u8]| Some(std::str::from_utf8(take_short(bytes)?).ok()?.to_owned());
    let (name, retention) = (text(bytes)?, text(bytes)?);
    let state = State::decode(take_short(bytes)?).ok()?;
    let witnesses = match version {
        VERSION_WITHOUT_WITNESSES => Witnesses::default(),
        _ => Witnesses::decode(take_short(bytes)?).ok()?,
    };
    let (live_bytes, added_bytes) = (bytes.try_get_u64_le().ok()?, bytes.try_get_u64_le().ok()?);
    let has_garbage = bytes.try_get_u8().ok()? != 0;
    let writer = bytes.try_get_u64_le().ok()?;
    let kept = many(bytes, |bytes| KeptRoot::decode(take_short(bytes)?).ok())?;
    let runs = many(bytes, |bytes| Some(Run { objects: many(bytes, index_object)? }))?;
    let retired = many(bytes, |bytes| {
        let since = bytes.try_get_i64_le().ok()?;
        Some(Retired { since, id: id(bytes)?, is_index: bytes.try_get_u8().ok()? != 0 })
    })?;
    let (live, added) = (live_bytes, added_bytes);
    Some(Manifest {
        sequence,
        identity,
        name,
        retention,
        state,
        witnesses,
        kept,
        runs,
        live_bytes: live,
        added_bytes: added,
        has_garbage,
        writer,
        retired,
    })
}

fn index_object(bytes: &mut &[u8]) -> Option<IndexObject> {
    let (id, entries) = (id(bytes)?, bytes.try_get_u32_le().ok()?);
    let firsts: Vec<u64> = many(bytes, |bytes| bytes.try_get_u64_le().ok())?;
    let is_whole = firsts.len() == (entries as usize).div_ceil(crate::limits::PAGE_ENTRIES) && entries > 0;
    is_whole.then_some(IndexObject { id, entries, firsts })
}

fn id(bytes: &mut &[u8]) -> Option<ObjectId> {
    (bytes.remaining() >= ObjectId::BYTES).then(|| ObjectId::take(bytes))
}

/// So many of something, after their number.
fn many<T>(bytes: &mut &[u8], one: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = bytes.try_get_u32_le().ok()?;
    // Each takes a byte at least: a number that cannot be is found before memory is.
    if count as usize > bytes.remaining() {
        return None;
    }
    (0..count).map(|_| one(bytes)).collect()
}

fn put_short(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.put_u16_le(part.len() as u16);
    bytes.put_slice(part);
}

fn take_short<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = bytes.try_get_u16_le().ok()?;
    take(bytes, length as usize)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_the_version_before_is_read() {
        let state = State::decode(&[&[1, 0][..], &[0; 24 + 8 + 12]].concat()).unwrap();
        let witnesses = Witnesses::decode(&[7; 76]).unwrap();
        let manifest = Manifest { witnesses, ..Manifest::first(VolumeIdentity([5; 16]), "main", &state) };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).unwrap().encode(), bytes);
        let part = [&76u16.to_le_bytes()[..], &[7; 76]].concat();
        let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
        let mut before = [&bytes[..at], &bytes[at + part.len()..bytes.len() - SUM_BYTES]].concat();
        before[MAGIC.len()] = VERSION_WITHOUT_WITNESSES as u8;
        before.extend_from_slice(blake3::hash(&before.clone()).as_bytes());
        let read = Manifest::decode(&before).unwrap();
        assert_eq!(read.encode(), Manifest { witnesses: Witnesses::default(), ..manifest }.encode());
    }
}
