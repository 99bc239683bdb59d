//! Why bytes are not a frame.

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The header is not one that this store wrote at this place.
    #[error("there is no frame header")]
    Header,
    /// The header is whole, but says something that this version does not know.
    #[error("the frame has a {0} that this version of pantala does not know")]
    Unsupported(&'static str),
    /// The payload is not the one that the header was written for.
    #[error("the payload's checksum does not match")]
    Payload,
    /// The body does not decompress to its length.
    #[error("the body does not decompress")]
    Compression,
    /// The block is another one than its name says.
    #[error("the content does not match its name")]
    Name,
    /// The hashes behind the body are not those of its pieces.
    #[error("the hashes of its pieces do not match")]
    Pieces,
    /// The frame goes on behind the end of its segment.
    #[error("the frame is longer than its segment")]
    Overrun,
}
