//! A message on the wire: its length as 32 bits, little-endian, then JSON: `{"version": 1, "message": ...}`.

use super::message::VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Error, ErrorKind, Read, Write};
use zeroize::Zeroizing;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    message: T,
}

/// What every version of an envelope has.
#[derive(Deserialize)]
struct AnyEnvelope {
    version: u32,
}

/// Sends a message.
pub(crate) fn write<T: Serialize>(mut stream: impl Write, message: &T) -> io::Result<()> {
    // A message may hold a key.
    let body = Zeroizing::new(serde_json::to_vec(&Envelope { version: VERSION, message })?);
    let length = u32::try_from(body.len()).map_err(|_| Error::from(ErrorKind::FileTooLarge))?;
    stream.write_all(&Zeroizing::new([&length.to_le_bytes()[..], &body].concat()))
}

/// Receives a message of at most `bytes_max` bytes.
pub(crate) fn read<T: DeserializeOwned>(mut stream: impl Read, bytes_max: u32) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > bytes_max {
        return Err(Error::new(ErrorKind::InvalidData, format!("a message of {length} bytes is too long")));
    }
    let mut body = Zeroizing::new(Vec::new());
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    parse(&body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    let AnyEnvelope { version } = serde_json::from_slice(body)?;
    if version != VERSION {
        let why = format!("the other side speaks version {version} of the control protocol, this one {VERSION}");
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(serde_json::from_slice::<Envelope<T>>(body)?.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let mut wire = Vec::new();
        write(&mut wire, &"hello").unwrap();
        assert_eq!(read::<String>(&wire[..], 100).unwrap(), "hello");
    }

    #[test]
    fn a_message_that_is_too_long_or_cut_or_of_another_version_is_refused() {
        let mut wire = Vec::new();
        write(&mut wire, &"hello").unwrap();
        assert_eq!(read::<String>(&wire[..], 8).unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(read::<String>(&wire[..wire.len() - 1], 100).is_err());
        let body = br#"{"version":2,"message":{}}"#;
        assert_eq!(parse::<String>(body).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
