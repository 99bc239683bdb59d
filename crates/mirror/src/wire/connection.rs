//! Messages over a pair of byte streams: length (32 bits), then the message.

use super::message::{Message, VERSION};
use crate::error::{Error, Result};
use crate::limits::MESSAGE_BYTES_MAX;
use bytes::Bytes;
use parking_lot::Mutex;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};

/// Bytes that are collected before they are handed to the system.
const BUFFER_BYTES: usize = 256 << 10;

/// A connection to the other side. One thread may send while another one receives.
pub(super) struct Connection {
    reader: Mutex<BufReader<Box<dyn Read + Send>>>,
    writer: Mutex<BufWriter<Box<dyn Write + Send>>>,
    /// What the other side said last, if that was an error.
    failure: Mutex<Option<Error>>,
}

impl Connection {
    /// Over these streams, after both sides have said hello.
    pub(super) fn open(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Result<Self> {
        let reader = Mutex::new(BufReader::with_capacity(BUFFER_BYTES, reader));
        let writer = Mutex::new(BufWriter::with_capacity(BUFFER_BYTES, writer));
        let connection = Self { reader, writer, failure: Mutex::default() };
        let program = format!("pantala {}", env!("CARGO_PKG_VERSION"));
        connection.send(&Message::Hello { version: VERSION, program })?;
        connection.flush()?;
        match connection.receive()? {
            Message::Hello { version: VERSION, .. } => Ok(connection),
            Message::Hello { version, program } => Err(Error::Version { theirs: version, program, ours: VERSION }),
            _ => Err(unexpected()),
        }
    }

    /// Sends a message, at the latest with the next [`Connection::flush`].
    pub(super) fn send(&self, message: &Message) -> Result<()> {
        let bytes = message.encode();
        let length = bytes.len() as u32;
        if length > MESSAGE_BYTES_MAX {
            return Err(Error::Link { why: format!("a message of {length} bytes is too long") });
        }
        let mut writer = self.writer.lock();
        let sent = writer.write_all(&length.to_le_bytes()).and_then(|()| writer.write_all(&bytes));
        drop(writer);
        sent.map_err(|error| self.said_before(&error))
    }

    /// Hands over everything that was sent.
    pub(super) fn flush(&self) -> Result<()> {
        let flushed = self.writer.lock().flush();
        flushed.map_err(|error| self.said_before(&error))
    }

    /// The next message. One that says that something failed is an error.
    pub(super) fn receive(&self) -> Result<Message> {
        match self.receive_or_end()? {
            Some(message) => Ok(message),
            None => Err(self.failure.lock().clone().unwrap_or_else(ended)),
        }
    }

    /// The next message; `None` if the other side has ended between two messages.
    pub(super) fn receive_or_end(&self) -> Result<Option<Message>> {
        let Some(bytes) = read(&mut *self.reader.lock()).map_err(|error| link(&error))? else { return Ok(None) };
        match Message::decode(bytes)? {
            Message::Failed(text) => {
                let error = Error::Remote { text };
                *self.failure.lock() = Some(error.clone());
                Err(error)
            }
            message => Ok(Some(message)),
        }
    }

    /// Why sending fails: the other side may have said so before it ended.
    fn said_before(&self, error: &io::Error) -> Error {
        let is_over = |error: &Error| matches!(error, Error::Remote { .. });
        if let Some(failure) = self.failure.lock().clone() {
            return failure;
        }
        // Whoever waits for an answer reads it; here everything up to the end is of interest.
        loop {
            match self.receive_or_end() {
                Err(error) if is_over(&error) => return error,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return self.failure.lock().clone().unwrap_or_else(|| link(error)),
            }
        }
    }
}

fn read(reader: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    if !read_or_end(reader, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length);
    if length == 0 || length > MESSAGE_BYTES_MAX {
        let why = "it does not speak the mirror protocol, or printed something first";
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    let mut bytes = Vec::new();
    reader.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes.into()))
}

/// Fills a buffer; false if there is nothing more at all.
fn read_or_end(reader: &mut impl Read, mut buffer: &mut [u8]) -> io::Result<bool> {
    let mut is_begun = false;
    while !buffer.is_empty() {
        match reader.read(buffer) {
            Ok(0) if !is_begun => return Ok(false),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                is_begun = true;
                buffer = &mut buffer[length..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn link(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => ended(),
        _ => Error::Link { why: error.to_string() },
    }
}

fn ended() -> Error {
    Error::Link { why: "it ended, or the link was lost; the next sync goes on from there".to_owned() }
}

/// An answer that does not fit the request.
pub(super) fn unexpected() -> Error {
    Error::Link { why: "it answered something else than it was asked".to_owned() }
}
