//! The way in for fuzzers.

use crate::dispatch::{Answer, Connection, Dispatcher};
use crate::wire::InHeader;
use crate::{Features, Filesystem};
use std::sync::Arc;
use zerocopy::FromBytes;

/// Every request answers as the trait's defaults do.
struct Defaults;

impl Filesystem for Defaults {}

/// The smallest buffer that a transport hands to the dispatcher, in bytes.
const BUFFER_SIZE: usize = 8192;

/// Treats bytes as a request of the kernel, answered by a file system that implements nothing. Panics on no input.
///
/// The first byte chooses how the request is cut into pieces: as `/dev/fuse` brings it, or as io_uring does.
pub fn fuzz_request(bytes: &[u8]) {
    answer(Arc::new(Defaults), bytes);
}

/// The same, for any file system.
pub(crate) fn answer(filesystem: Arc<dyn Filesystem>, bytes: &[u8]) -> Option<Answer> {
    let (&choice, message) = bytes.split_first()?;
    let features = if choice & 1 == 0 { Features::SETXATTR_EXT } else { Features::NONE };
    let mut dispatcher = Dispatcher::new(Arc::new(Connection::new(filesystem)), features);
    let (header, body) = InHeader::read_from_prefix(message).ok()?;
    let size = if choice & 2 == 0 { dispatcher.argument_size(header.opcode) } else { 128 };
    let (arguments, input) = body.split_at(size.min(body.len()));
    let mut buffer = vec![0; BUFFER_SIZE.max(input.len())];
    buffer[..input.len()].copy_from_slice(input);
    // Over io_uring the length is a field of its own, which may say anything.
    let length = if choice & 4 == 0 { input.len() } else { header.len as usize };
    Some(dispatcher.dispatch_unguarded(&header, arguments, &mut buffer, length))
}
