//! The side that asks: volumes of another process, used as if they were here.

use super::both::BothMessage;
use super::connection::{Connection, unexpected};
use super::message::Message;
use crate::both::{Adoption, Looked, Merge, MergeResult, PeerVolume};
use crate::error::Result;
use crate::limits::{KEPT_PER_MESSAGE, NAMES_MAX};
use crate::ports::{Source, Target, Visitor};
use crate::verify::Verifiable;
use crate::volumes::{Listed, Origin, ReplicaMode, ReplicaVolume, SourceVolume};
use block::{Name, PackedBlock};
use std::io::{Read, Write};
use volume::{KeptRoot, Peer, State, VolumeIdentity, Witnesses};

/// A connection to a place in another process.
pub struct Client(Connection);

impl Client {
    /// Over these streams. The other side speaks the same version, or this fails.
    pub fn connect(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Result<Self> {
        Ok(Self(Connection::open(reader, writer)?))
    }

    /// The volumes of the place.
    pub fn list(&self) -> Result<Vec<Listed>> {
        self.request(&Message::List)?;
        let mut volumes = Vec::new();
        loop {
            match self.0.receive()? {
                Message::Volume(volume) => volumes.push(volume),
                Message::End => return Ok(volumes),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Opens a volume to copy from, by name or identity.
    pub fn open_source(&self, which: &str) -> Result<RemoteSource<'_>> {
        self.request(&Message::OpenSource(which.to_owned()))?;
        let Message::Origin { identity, name, state, witnesses } = self.0.receive()? else { return Err(unexpected()) };
        let kept = self.receive_kept()?;
        Ok(RemoteSource { client: self, origin: Origin { identity, name, state, witnesses, kept } })
    }

    /// Opens a replica to copy to.
    pub fn open_replica(
        &self,
        identity: VolumeIdentity,
        name: &str,
        state: &State,
        mode: ReplicaMode,
    ) -> Result<RemoteReplica<'_>> {
        self.request(&Message::OpenReplica { identity, name: name.to_owned(), state: *state, mode })?;
        let Message::Replica { name, state } = self.0.receive()? else { return Err(unexpected()) };
        Ok(RemoteReplica { client: self, name, held: state })
    }

    /// Opens a volume for a two-way sync, by name or identity.
    pub fn open_peer(&self, which: &str) -> Result<RemotePeer<'_>> {
        self.look(which)?;
        Ok(RemotePeer { client: self })
    }

    fn look(&self, which: &str) -> Result<Looked> {
        self.request(&Message::Both(BothMessage::Look(which.to_owned())))?;
        let Message::Both(BothMessage::Looked(mut looked)) = self.0.receive()? else { return Err(unexpected()) };
        loop {
            match self.0.receive()? {
                Message::Both(BothMessage::Past(past)) => {
                    looked.past.states.extend(past.states);
                    looked.past.meetings.extend(past.meetings);
                }
                Message::End => return Ok(looked),
                _ => return Err(unexpected()),
            }
        }
    }

    fn read_blocks(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        let linked_bytes_max = u32::try_from(linked_bytes_max).unwrap_or(u32::MAX);
        self.request(&Message::Read { linked_bytes_max, names: names.to_vec() })?;
        let mut visited = Ok(());
        loop {
            match self.0.receive()? {
                // Also what nobody wants any more is received, so that the connection can be used again.
                Message::Block(block) if visited.is_ok() => visited = visit(block),
                Message::Block(_) => {}
                Message::End => return visited,
                _ => return Err(unexpected()),
            }
        }
    }

    fn lacking_blocks(&self, names: &[Name]) -> Result<Vec<Name>> {
        let mut lacking = Vec::new();
        for names in names.chunks(NAMES_MAX) {
            self.request(&Message::Ask(names.to_vec()))?;
            match self.0.receive()? {
                Message::Names(names) => lacking.extend(names),
                _ => return Err(unexpected()),
            }
        }
        Ok(lacking)
    }

    fn request(&self, message: &Message) -> Result<()> {
        self.0.send(message)?;
        self.0.flush()
    }

    fn receive_kept(&self) -> Result<Vec<KeptRoot>> {
        let mut kept = Vec::new();
        loop {
            match self.0.receive()? {
                Message::Kept(roots) => kept.extend(roots),
                Message::End => return Ok(kept),
                _ => return Err(unexpected()),
            }
        }
    }

    fn send_kept(&self, kept: &[KeptRoot]) -> Result<()> {
        kept.chunks(KEPT_PER_MESSAGE).try_for_each(|roots| self.0.send(&Message::Kept(roots.to_vec())))
    }
}

impl Verifiable for Client {
    fn verify(&self) -> Result<Vec<Name>> {
        self.request(&Message::Verify)?;
        let mut damaged = Vec::new();
        loop {
            match self.0.receive()? {
                Message::Names(names) => damaged.extend(names),
                Message::End => return Ok(damaged),
                _ => return Err(unexpected()),
            }
        }
    }

    fn fetch(&self, name: &Name) -> Result<Option<PackedBlock>> {
        self.request(&Message::Fetch(*name))?;
        match self.0.receive()? {
            Message::Block(block) if block.name() == *name => Ok(Some(block)),
            Message::End => Ok(None),
            _ => Err(unexpected()),
        }
    }

    fn heal(&self, block: &PackedBlock) -> Result<()> {
        self.request(&Message::Heal(block.clone()))?;
        match self.0.receive()? {
            Message::End => Ok(()),
            _ => Err(unexpected()),
        }
    }
}

/// A volume of another process that is copied from.
pub struct RemoteSource<'a> {
    client: &'a Client,
    origin: Origin,
}

impl Source for RemoteSource<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        self.client.read_blocks(names, linked_bytes_max, visit)
    }
}

impl SourceVolume for RemoteSource<'_> {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A replica of another process.
pub struct RemoteReplica<'a> {
    client: &'a Client,
    name: String,
    held: State,
}

impl Target for RemoteReplica<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        self.client.lacking_blocks(names)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        self.client.0.send(&Message::Block(block.clone()))?;
        Ok(true)
    }
}

impl ReplicaVolume for RemoteReplica<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn held(&self) -> State {
        self.held
    }

    fn wanted(&self, offered: &[KeptRoot]) -> Result<Vec<KeptRoot>> {
        self.client.send_kept(offered)?;
        self.client.request(&Message::Offer)?;
        self.client.receive_kept()
    }

    fn receive(&self, state: &State, witnesses: &Witnesses, kept: &[KeptRoot]) -> Result<()> {
        self.client.send_kept(kept)?;
        self.client.request(&Message::Receive { state: *state, witnesses: witnesses.clone() })?;
        match self.client.0.receive()? {
            Message::End => Ok(()),
            _ => Err(unexpected()),
        }
    }
}

/// A volume of another process as a side of a two-way sync.
pub struct RemotePeer<'a> {
    client: &'a Client,
}

impl Source for RemotePeer<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        self.client.read_blocks(names, linked_bytes_max, visit)
    }
}

impl Target for RemotePeer<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        self.client.lacking_blocks(names)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        self.client.0.send(&Message::Block(block.clone()))?;
        Ok(true)
    }
}

impl PeerVolume for RemotePeer<'_> {
    fn look(&self) -> Result<Looked> {
        self.client.look("")
    }

    fn merge(&self, merge: &Merge) -> Result<MergeResult> {
        self.client.request(&Message::Both(BothMessage::Merge(merge.clone())))?;
        let mut lines = Vec::new();
        loop {
            match self.client.0.receive()? {
                Message::Both(BothMessage::Lines(more)) => lines.extend(more),
                Message::Both(BothMessage::Merged(state)) => return Ok(MergeResult { state, lines }),
                _ => return Err(unexpected()),
            }
        }
    }

    fn adopt(&self, adoption: &Adoption) -> Result<bool> {
        self.client.request(&Message::Both(BothMessage::Adopt(adoption.clone())))?;
        match self.client.0.receive()? {
            Message::Both(BothMessage::Adopted(is_adopted)) => Ok(is_adopted),
            _ => Err(unexpected()),
        }
    }

    fn note_meeting(&self, peer: Peer, root: Option<Name>) -> Result<()> {
        self.client.request(&Message::Both(BothMessage::Note { peer, root }))?;
        match self.client.0.receive()? {
            Message::End => Ok(()),
            _ => Err(unexpected()),
        }
    }
}
