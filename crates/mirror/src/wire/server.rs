//! The side that answers: the volumes of a pool of this process, for somebody elsewhere.

use super::both::BothMessage;
use super::connection::{Connection, unexpected};
use super::message::Message;
use crate::both::{Line, LocalPeer, Looked, MergeResult, PeerVolume};
use crate::error::{Error, Result};
use crate::host::{LocalReplica, LocalSource, LocalVerifiable, list};
use crate::limits::{KEPT_OFFERED_MAX, KEPT_PER_MESSAGE, LINES_BYTES_PER_MESSAGE, NAMES_MAX};
use crate::ports::{Source, Target};
use crate::verify::Verifiable;
use crate::volumes::{Origin, ReplicaVolume, SourceVolume};
use std::io::{Read, Write};
use volume::{KeptRoot, Past, Pool};

/// Answers until the other side ends. What goes wrong is said to the other side as well.
pub fn serve(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>, pool: &Pool) -> Result<()> {
    let connection = Connection::open(reader, writer)?;
    let verifiable = LocalVerifiable::new(pool);
    let session = Session {
        connection: &connection,
        pool,
        source: None,
        replica: None,
        peer: None,
        offered: Vec::new(),
        verifiable,
    };
    let served = session.run();
    if let Err(error) = &served
        && !matches!(error, Error::Link { .. })
    {
        connection.send(&Message::Failed(error.to_string()))?;
        connection.flush()?;
    }
    served
}

struct Session<'a> {
    connection: &'a Connection,
    pool: &'a Pool,
    source: Option<LocalSource<'a>>,
    replica: Option<LocalReplica<'a>>,
    /// A side of a two-way sync.
    peer: Option<LocalPeer<'a>>,
    /// Kept roots that came and that no request has used yet.
    offered: Vec<KeptRoot>,
    verifiable: LocalVerifiable<'a>,
}

impl Session<'_> {
    fn run(mut self) -> Result<()> {
        while let Some(message) = self.connection.receive_or_end()? {
            // Blocks have no answer, and whoever sends them does not wait for one.
            let has_answer = !matches!(message, Message::Block(_) | Message::Kept(_));
            self.answer(message)?;
            if has_answer {
                self.connection.flush()?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, message: Message) -> Result<()> {
        let connection = self.connection;
        match message {
            Message::List => {
                list(self.pool)?.into_iter().try_for_each(|volume| connection.send(&Message::Volume(volume)))?;
                connection.send(&Message::End)
            }
            Message::OpenSource(which) => {
                let source = self.source.insert(LocalSource::open(self.pool, &which)?);
                let Origin { identity, name, state, witnesses, kept } = source.origin();
                let (name, witnesses) = (name.clone(), witnesses.clone());
                connection.send(&Message::Origin { identity: *identity, name, state: *state, witnesses })?;
                send_kept(connection, kept)
            }
            Message::Read { linked_bytes_max, names } => {
                let source = self.source()?;
                source.read(&names, linked_bytes_max as usize, &mut |block| connection.send(&Message::Block(block)))?;
                connection.send(&Message::End)
            }
            Message::OpenReplica { identity, name, state, mode } => {
                // One after another: only one transfer to a replica is under way at a time.
                self.replica = None;
                let replica = LocalReplica::open(self.pool, identity, &name, &state, mode)?;
                let replica = self.replica.insert(replica);
                connection.send(&Message::Replica { name: replica.name().to_owned(), state: replica.held() })
            }
            Message::Ask(names) => connection.send(&Message::Names(self.target()?.lacking(&names)?)),
            Message::Fetch(name) => connection.send(&match self.verifiable.fetch(&name)? {
                Some(block) => Message::Block(block),
                None => Message::End,
            }),
            Message::Verify => {
                let damaged = self.verifiable.verify()?;
                damaged.chunks(NAMES_MAX).try_for_each(|names| connection.send(&Message::Names(names.to_vec())))?;
                connection.send(&Message::End)
            }
            Message::Heal(block) => {
                self.verifiable.heal(&block)?;
                connection.send(&Message::End)
            }
            Message::Block(block) => self.target()?.put(&block).map(drop),
            Message::Kept(roots) => {
                self.offered.extend(roots);
                if self.offered.len() > KEPT_OFFERED_MAX {
                    return Err(Error::Link { why: "it offered more kept roots than there can be".to_owned() });
                }
                Ok(())
            }
            Message::Offer => {
                let offered = std::mem::take(&mut self.offered);
                send_kept(connection, &self.replica()?.wanted(&offered)?)
            }
            Message::Receive { state, witnesses } => {
                let offered = std::mem::take(&mut self.offered);
                self.replica()?.receive(&state, &witnesses, &offered)?;
                connection.send(&Message::End)
            }
            Message::Both(message) => self.answer_both(message),
            _ => Err(unexpected()),
        }
    }

    fn answer_both(&mut self, message: BothMessage) -> Result<()> {
        let connection = self.connection;
        let send = |message| connection.send(&Message::Both(message));
        match message {
            BothMessage::Look(which) => {
                if !which.is_empty() {
                    // One after another: a volume is a side of one sync at a time.
                    (self.source, self.replica, self.peer) = (None, None, None);
                    self.peer = Some(LocalPeer::open(self.pool, &which)?);
                }
                let looked = self.peer()?.look()?;
                send_looked(connection, looked)
            }
            BothMessage::Merge(merge) => {
                let MergeResult { state, lines } = self.peer()?.merge(&merge)?;
                send_lines(connection, lines)?;
                send(BothMessage::Merged(state))
            }
            BothMessage::Adopt(adoption) => send(BothMessage::Adopted(self.peer()?.adopt(&adoption)?)),
            BothMessage::Note { peer, root } => {
                self.peer()?.note_meeting(peer, root)?;
                connection.send(&Message::End)
            }
            _ => Err(unexpected()),
        }
    }

    /// Where blocks come from.
    fn source(&self) -> Result<&dyn Source> {
        let source = self.source.as_ref().map(|source| source as &dyn Source);
        source.or(self.peer.as_ref().map(|peer| peer as &dyn Source)).ok_or_else(unexpected)
    }

    /// Where blocks go to.
    fn target(&self) -> Result<&dyn Target> {
        let replica = self.replica.as_ref().map(|replica| replica as &dyn Target);
        replica.or(self.peer.as_ref().map(|peer| peer as &dyn Target)).ok_or_else(unexpected)
    }

    fn peer(&self) -> Result<&LocalPeer<'_>> {
        self.peer.as_ref().ok_or_else(unexpected)
    }

    fn replica(&self) -> Result<&LocalReplica<'_>> {
        self.replica.as_ref().ok_or_else(unexpected)
    }
}

fn send_kept(connection: &Connection, kept: &[KeptRoot]) -> Result<()> {
    kept.chunks(KEPT_PER_MESSAGE).try_for_each(|roots| connection.send(&Message::Kept(roots.to_vec())))?;
    connection.send(&Message::End)
}

/// A volume as it is, then what it has had, in as many messages as it takes.
fn send_looked(connection: &Connection, mut looked: Looked) -> Result<()> {
    let states = std::mem::take(&mut looked.past.states);
    let meetings = std::mem::take(&mut looked.past.meetings);
    let send = |past| connection.send(&Message::Both(BothMessage::Past(past)));
    connection.send(&Message::Both(BothMessage::Looked(looked)))?;
    let mut states = states.into_iter().peekable();
    while states.peek().is_some() {
        send(Past { states: states.by_ref().take(KEPT_PER_MESSAGE).collect(), ..Past::default() })?;
    }
    send(Past { meetings, ..Past::default() })?;
    connection.send(&Message::End)
}

fn send_lines(connection: &Connection, lines: Vec<Line>) -> Result<()> {
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let send = |lines| connection.send(&Message::Both(BothMessage::Lines(lines)));
    for line in lines {
        bytes += line.path.len() + line.other.as_ref().map_or(0, Vec::len) + LINE_BYTES;
        waiting.push(line);
        if bytes >= LINES_BYTES_PER_MESSAGE {
            send(std::mem::take(&mut waiting))?;
            bytes = 0;
        }
    }
    send(waiting)
}

/// What a line takes beside its paths, at most.
const LINE_BYTES: usize = 16;
