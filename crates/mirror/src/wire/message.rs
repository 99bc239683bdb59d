//! Messages as bytes. What cannot be a message is refused; whether what it says makes sense is for whoever reads it.

use super::both::{BothMessage, FIRST_KIND, LAST_KIND};
use crate::error::{Error, Result};
use crate::limits::NAMES_MAX;
use crate::volumes::{Listed, ReplicaMode};
use block::{Name, PackedBlock};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use volume::{KeptRoot, State, VolumeIdentity, Witnesses};

/// Goes up whenever a message changes its meaning.
pub(crate) const VERSION: u16 = 3;

const MAGIC: [u8; 8] = *b"PnMirror";

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// First of all, from both sides.
    Hello { version: u16, program: String },
    /// Why there is no other answer.
    Failed(String),
    /// The end of an answer of several messages, or an answer that says nothing else.
    End,
    /// Asks for [`Message::Volume`]s.
    List,
    /// A volume of the place.
    Volume(Listed),
    /// Opens a volume to copy from, by name or identity. Answered by [`Message::Origin`] and [`Message::Kept`]s.
    OpenSource(String),
    /// The volume that was opened.
    Origin { identity: VolumeIdentity, name: String, state: State, witnesses: Witnesses },
    /// Some of a list of kept roots.
    Kept(Vec<KeptRoot>),
    /// Asks for blocks.
    Read { linked_bytes_max: u32, names: Vec<Name> },
    /// A block: of an answer, or sent.
    Block(PackedBlock),
    /// Opens a replica to copy to. Answered by [`Message::Replica`].
    OpenReplica { identity: VolumeIdentity, name: String, state: State, mode: ReplicaMode },
    /// The replica that was opened.
    Replica { name: String, state: State },
    /// Which of these are lacking? Answered by [`Message::Names`].
    Ask(Vec<Name>),
    /// Names, in an answer.
    Names(Vec<Name>),
    /// Which of the kept roots sent before are wanted? Answered by [`Message::Kept`]s.
    Offer,
    /// Puts a state in force, with the kept roots sent before, and notes who had it.
    Receive { state: State, witnesses: Witnesses },
    /// Reads the place again. Answered by [`Message::Names`] of blocks that it needs and cannot have.
    Verify,
    /// Asks for a block that may be damaged. Answered by [`Message::Block`], or [`Message::End`].
    Fetch(Name),
    /// Writes a block anew.
    Heal(PackedBlock),
    /// Of a two-way sync.
    Both(BothMessage),
}

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const FAILED: u8 = 2;
    pub(super) const END: u8 = 3;
    pub(super) const LIST: u8 = 4;
    pub(super) const VOLUME: u8 = 5;
    pub(super) const OPEN_SOURCE: u8 = 6;
    pub(super) const ORIGIN: u8 = 7;
    pub(super) const KEPT: u8 = 8;
    pub(super) const READ: u8 = 9;
    pub(super) const BLOCK: u8 = 10;
    pub(super) const OPEN_REPLICA: u8 = 11;
    pub(super) const REPLICA: u8 = 12;
    pub(super) const ASK: u8 = 13;
    pub(super) const NAMES: u8 = 14;
    pub(super) const OFFER: u8 = 15;
    pub(super) const RECEIVE: u8 = 16;
    pub(super) const VERIFY: u8 = 17;
    pub(super) const FETCH: u8 = 18;
    pub(super) const HEAL: u8 = 19;
}

const CREATE: u8 = 1;
const REPLACE: u8 = 2;
const IS_REPLICA: u8 = 1;
const IS_PARTIAL: u8 = 2;
const HAS_CHANGES: u8 = 4;

impl Message {
    /// Kind and payload.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind()];
        match self {
            Self::End | Self::List | Self::Offer | Self::Verify => {}
            Self::Hello { version, program } => {
                bytes.put_slice(&MAGIC);
                bytes.put_u16_le(*version);
                bytes.put_slice(program.as_bytes());
            }
            Self::Failed(text) | Self::OpenSource(text) => bytes.put_slice(text.as_bytes()),
            Self::Volume(volume) => {
                let replica = if volume.is_replica { IS_REPLICA } else { 0 };
                let partial = if volume.is_partial { IS_PARTIAL } else { 0 };
                let changes = if volume.has_changes { HAS_CHANGES } else { 0 };
                bytes.put_u8(replica | partial | changes);
                put_volume(&mut bytes, &volume.identity, &volume.name, &volume.state);
            }
            Self::Origin { identity, name, state, witnesses } => {
                put_volume(&mut bytes, identity, name, state);
                bytes.put_slice(&witnesses.encode());
            }
            Self::OpenReplica { identity, name, state, mode } => {
                let create = if mode.create { CREATE } else { 0 };
                let replace = if mode.replace { REPLACE } else { 0 };
                bytes.put_u8(create | replace);
                put_volume(&mut bytes, identity, name, state);
            }
            Self::Replica { name, state } => {
                put_part(&mut bytes, name.as_bytes());
                put_part(&mut bytes, &state.encode());
            }
            Self::Kept(roots) => roots.iter().for_each(|root| put_part(&mut bytes, &root.encode())),
            Self::Read { linked_bytes_max, names } => {
                bytes.put_u32_le(*linked_bytes_max);
                put_names(&mut bytes, names);
            }
            Self::Block(block) | Self::Heal(block) => block.encode(&mut bytes),
            Self::Ask(names) | Self::Names(names) => put_names(&mut bytes, names),
            Self::Fetch(name) => bytes.put_slice(name.as_bytes()),
            Self::Receive { state, witnesses } => {
                put_part(&mut bytes, &state.encode());
                bytes.put_slice(&witnesses.encode());
            }
            Self::Both(message) => message.encode(&mut bytes),
        }
        bytes
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => kind::HELLO,
            Self::Failed(_) => kind::FAILED,
            Self::End => kind::END,
            Self::List => kind::LIST,
            Self::Volume(_) => kind::VOLUME,
            Self::OpenSource(_) => kind::OPEN_SOURCE,
            Self::Origin { .. } => kind::ORIGIN,
            Self::Kept(_) => kind::KEPT,
            Self::Read { .. } => kind::READ,
            Self::Block(_) => kind::BLOCK,
            Self::OpenReplica { .. } => kind::OPEN_REPLICA,
            Self::Replica { .. } => kind::REPLICA,
            Self::Ask(_) => kind::ASK,
            Self::Names(_) => kind::NAMES,
            Self::Offer => kind::OFFER,
            Self::Receive { .. } => kind::RECEIVE,
            Self::Verify => kind::VERIFY,
            Self::Fetch(_) => kind::FETCH,
            Self::Heal(_) => kind::HEAL,
            Self::Both(message) => message.kind(),
        }
    }

    /// Takes kind and payload for a message.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self> {
        let kind = bytes.try_get_u8().map_err(|_| malformed())?;
        let message = match kind {
            kind::HELLO => {
                if take(&mut bytes, MAGIC.len())? != MAGIC[..] {
                    return Err(malformed());
                }
                let version = bytes.try_get_u16_le().map_err(|_| malformed())?;
                Self::Hello { version, program: rest_as_text(&mut bytes)? }
            }
            kind::FAILED => Self::Failed(rest_as_text(&mut bytes)?),
            kind::END => Self::End,
            kind::LIST => Self::List,
            kind::VOLUME => {
                let flags = take_flags(&mut bytes, IS_REPLICA | IS_PARTIAL | HAS_CHANGES)?;
                let has_changes = flags & HAS_CHANGES != 0;
                let (is_replica, is_partial) = (flags & IS_REPLICA != 0, flags & IS_PARTIAL != 0);
                let (identity, name, state) = take_volume(&mut bytes)?;
                Self::Volume(Listed { identity, name, is_replica, is_partial, has_changes, state })
            }
            kind::OPEN_SOURCE => Self::OpenSource(rest_as_text(&mut bytes)?),
            kind::ORIGIN => {
                let (identity, name, state) = take_volume(&mut bytes)?;
                Self::Origin { identity, name, state, witnesses: take_witnesses(&mut bytes)? }
            }
            FIRST_KIND..=LAST_KIND => Self::Both(BothMessage::decode(kind, &mut bytes)?),
            kind::KEPT => Self::Kept(take_kept(&mut bytes)?),
            kind::READ => {
                let linked_bytes_max = bytes.try_get_u32_le().map_err(|_| malformed())?;
                Self::Read { linked_bytes_max, names: take_names(&mut bytes)? }
            }
            kind::BLOCK => Self::Block(take_block(&mut bytes)?),
            kind::VERIFY => Self::Verify,
            kind::FETCH => Self::Fetch(Name::from_bytes(take_array(&mut bytes)?)),
            kind::HEAL => Self::Heal(take_block(&mut bytes)?),
            kind::OPEN_REPLICA => {
                let flags = take_flags(&mut bytes, CREATE | REPLACE)?;
                let mode = ReplicaMode { create: flags & CREATE != 0, replace: flags & REPLACE != 0 };
                let (identity, name, state) = take_volume(&mut bytes)?;
                Self::OpenReplica { identity, name, state, mode }
            }
            kind::REPLICA => {
                let name = text(take_part(&mut bytes)?)?;
                let state = State::decode(&take_part(&mut bytes)?).map_err(|_| malformed())?;
                Self::Replica { name, state }
            }
            kind::ASK => Self::Ask(take_names(&mut bytes)?),
            kind::NAMES => Self::Names(take_names(&mut bytes)?),
            kind::OFFER => Self::Offer,
            kind::RECEIVE => {
                let state = State::decode(&take_part(&mut bytes)?).map_err(|_| malformed())?;
                Self::Receive { state, witnesses: take_witnesses(&mut bytes)? }
            }
            _ => return Err(malformed()),
        };
        if bytes.is_empty() { Ok(message) } else { Err(malformed()) }
    }
}

pub(super) fn malformed() -> Error {
    Error::Link { why: "the other side sent what is no message".to_owned() }
}

pub(super) fn put_part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.put_u16_le(part.len() as u16);
    bytes.put_slice(part);
}

pub(super) fn put_volume(bytes: &mut Vec<u8>, identity: &VolumeIdentity, name: &str, state: &State) {
    bytes.put_slice(&identity.0);
    put_part(bytes, name.as_bytes());
    put_part(bytes, &state.encode());
}

fn put_names(bytes: &mut Vec<u8>, names: &[Name]) {
    names.iter().for_each(|name| bytes.put_slice(name.as_bytes()));
}

pub(super) fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes> {
    if bytes.len() < length { Err(malformed()) } else { Ok(bytes.split_to(length)) }
}

pub(super) fn take_array<const N: usize>(bytes: &mut Bytes) -> Result<[u8; N]> {
    let mut array = [0; N];
    take(bytes, N)?.copy_to_slice(&mut array);
    Ok(array)
}

pub(super) fn take_flags(bytes: &mut Bytes, known: u8) -> Result<u8> {
    let flags = bytes.try_get_u8().map_err(|_| malformed())?;
    if flags & !known == 0 { Ok(flags) } else { Err(malformed()) }
}

pub(super) fn take_part(bytes: &mut Bytes) -> Result<Bytes> {
    let length = bytes.try_get_u16_le().map_err(|_| malformed())?;
    take(bytes, length as usize)
}

pub(super) fn take_volume(bytes: &mut Bytes) -> Result<(VolumeIdentity, String, State)> {
    let identity = take_array(bytes)?;
    let name = text(take_part(bytes)?)?;
    let state = State::decode(&take_part(bytes)?).map_err(|_| malformed())?;
    Ok((VolumeIdentity(identity), name, state))
}

fn take_witnesses(bytes: &mut Bytes) -> Result<Witnesses> {
    Witnesses::decode(&bytes.split_off(0)).map_err(|_| malformed())
}

fn take_kept(bytes: &mut Bytes) -> Result<Vec<KeptRoot>> {
    let mut roots = Vec::new();
    while !bytes.is_empty() {
        roots.push(KeptRoot::decode(&take_part(bytes)?).map_err(|_| malformed())?);
    }
    Ok(roots)
}

fn take_block(bytes: &mut Bytes) -> Result<PackedBlock> {
    PackedBlock::decode(bytes.split_off(0)).map_err(|_| malformed())
}

fn take_names(bytes: &mut Bytes) -> Result<Vec<Name>> {
    let bytes = bytes.split_off(0);
    let (names, rest) = bytes.as_chunks::<{ Name::BYTES }>();
    if !rest.is_empty() || names.len() > NAMES_MAX {
        return Err(malformed());
    }
    Ok(names.iter().map(|name| Name::from_bytes(*name)).collect())
}

pub(super) fn text(bytes: Bytes) -> Result<String> {
    String::from_utf8(BytesMut::from(bytes).to_vec()).map_err(|_| malformed())
}

fn rest_as_text(bytes: &mut Bytes) -> Result<String> {
    text(bytes.split_off(0))
}

/// Feeds arbitrary bytes to the decoder, for fuzzing: it may refuse them, and must not panic. What it takes is what it gives.
#[doc(hidden)]
pub fn fuzz_message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) {
        assert_eq!(message.encode(), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut bytes = vec![1, 1];
        bytes.extend_from_slice(&[7; 32 + 24 + 8 + 8]);
        bytes.extend_from_slice(&[0; 4]);
        State::decode(&bytes).unwrap()
    }

    #[test]
    fn messages_come_back_as_they_were_and_cut_ones_are_refused() {
        let (identity, name, names) = (VolumeIdentity([5; 16]), "main".to_owned(), vec![Name::from_bytes([9; 32]); 3]);
        let mode = ReplicaMode { create: true, replace: false };
        let witnesses = Witnesses::decode(&[[4; 76], [5; 76]].concat()).unwrap();
        let listed = Listed {
            identity,
            name: name.clone(),
            is_replica: true,
            is_partial: false,
            has_changes: true,
            state: state(),
        };
        let messages = [
            Message::Hello { version: 1, program: "pantala".into() },
            Message::End,
            Message::Volume(listed),
            Message::Origin { identity, name: name.clone(), state: state(), witnesses: witnesses.clone() },
            Message::OpenReplica { identity, name: name.clone(), state: state(), mode },
            Message::Replica { name, state: state() },
            Message::Read { linked_bytes_max: 7, names: names.clone() },
            Message::Ask(names),
            Message::Verify,
            Message::Fetch(Name::from_bytes([1; 32])),
            Message::Receive { state: state(), witnesses },
        ];
        for message in messages {
            let bytes = message.encode();
            let decoded = Message::decode(bytes.clone().into()).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
            fuzz_message(&bytes);
            (0..bytes.len()).for_each(|length| fuzz_message(&bytes[..length]));
        }
    }
}
