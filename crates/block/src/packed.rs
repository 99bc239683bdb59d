//! A block as a store keeps it: links plain, the body perhaps compressed.
//!
//! It goes from one store to another as it is: nothing is compressed anew, and only the receiver computes the name.

use crate::frame::{Codec, Content, Fault, FrameHeader, Subject};
use crate::{Block, Error, Name, Result};
use bytes::{Buf, BufMut, Bytes};
use zerocopy::FromBytes;

/// A block in the form in which it is stored.
#[derive(Clone, Debug)]
pub struct PackedBlock {
    name: Name,
    header: FrameHeader,
    payload: Bytes,
}

/// Bytes before the payload when a packed block travels: name, codec, three reserved bytes, length of the body, number of links,
/// checksum of the payload.
const PREFIX_BYTES: usize = Name::BYTES + 16;

impl PackedBlock {
    /// Longest encoded form, in bytes.
    pub const ENCODED_BYTES_MAX: usize = PREFIX_BYTES + crate::limits::PAYLOAD_BYTES_MAX;

    /// A block that was found under its name. The payload was compared with its checksum.
    pub(crate) fn found(name: Name, header: FrameHeader, payload: Bytes) -> Self {
        Self { name, header, payload }
    }

    /// The name that the block is said to have. Only [`PackedBlock::unpack`] compares it with the content.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The blocks that it refers to.
    pub fn links(&self) -> &[Name] {
        self.split().0
    }

    /// Bytes of links and body, as stored.
    pub fn stored_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Bytes of the body when it is not compressed.
    pub fn body_bytes(&self) -> usize {
        self.header.body_bytes as usize
    }

    /// The block itself, compared with its checksum and its name. [`Error::Corrupt`] if either does not match.
    pub fn unpack(&self) -> Result<Block> {
        let content = Content::unpack(&self.header, self.payload.clone()).map_err(|fault| self.corrupt(fault))?;
        content.verify_all(&self.name).map_err(|fault| self.corrupt(fault))?;
        Ok(content.block)
    }

    /// Appends the block's encoded form: at most [`PackedBlock::ENCODED_BYTES_MAX`] bytes.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_slice(self.name.as_bytes());
        bytes.put_slice(&[self.header.codec.number(), 0, 0, 0]);
        bytes.put_u32_le(self.header.body_bytes);
        bytes.put_u32_le(self.header.link_count);
        bytes.put_u32_le(self.header.payload_checksum);
        bytes.put_slice(&self.payload);
    }

    /// Bytes of the encoded form.
    pub fn encoded_bytes(&self) -> usize {
        PREFIX_BYTES + self.payload.len()
    }

    /// Takes bytes for an encoded block. It refuses what no store could hold; whether the content is right,
    /// [`PackedBlock::unpack`] tells.
    pub fn decode(mut bytes: Bytes) -> Result<Self> {
        let refuse = |what: &str| Error::Corrupt { what: format!("a block that was received: {what}") };
        if bytes.len() < PREFIX_BYTES || bytes.len() > Self::ENCODED_BYTES_MAX {
            return Err(refuse("its length is none that a block can have"));
        }
        let mut name = [0; Name::BYTES];
        bytes.copy_to_slice(&mut name);
        let name = Name::from_bytes(name);
        let codec = Codec::from_number(bytes.get_u8()).map_err(|fault| refuse(&fault.to_string()))?;
        if bytes.get_u8() != 0 || bytes.get_u16_le() != 0 {
            return Err(refuse("it has a flag that this version of pantala does not know"));
        }
        let header = FrameHeader {
            subject: Subject::Block(name),
            codec,
            body_bytes: bytes.get_u32_le(),
            link_count: bytes.get_u32_le(),
            payload_checksum: bytes.get_u32_le(),
            payload_bytes: bytes.len() as u32,
        };
        if !header.adds_up() {
            return Err(refuse("its lengths do not add up"));
        }
        Ok(Self { name, header, payload: bytes })
    }

    /// Header, links and stored body, for a frame.
    pub(crate) fn parts(&self) -> (FrameHeader, &[Name], &[u8]) {
        let (links, stored) = self.split();
        (self.header, links, stored)
    }

    fn split(&self) -> (&[Name], &[u8]) {
        <[Name]>::ref_from_prefix_with_elems(&self.payload, self.header.link_count as usize)
            .expect("a header that adds up has a payload that holds its links")
    }

    fn corrupt(&self, fault: Fault) -> Error {
        Error::Corrupt { what: format!("block {}: {fault}", self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blocks, MemoryIndex, RealDisk, Store, StoreOptions};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn store(folder: &std::path::Path) -> Store {
        let disk = Arc::new(RealDisk::new(folder));
        Store::create(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap()
    }

    fn packed(store: &Store, block: &Block) -> PackedBlock {
        let name = store.put(block).unwrap();
        let mut found = Vec::new();
        let mut visit = |block| {
            found.push(block);
            Ok(std::ops::ControlFlow::Continue(()))
        };
        store.read_packed(&[name], &mut visit).unwrap();
        found.pop().unwrap()
    }

    fn through_bytes(block: &PackedBlock) -> PackedBlock {
        let mut bytes = Vec::new();
        block.encode(&mut bytes);
        assert_eq!(bytes.len(), block.encoded_bytes());
        PackedBlock::decode(bytes.into()).unwrap()
    }

    #[test]
    fn a_block_goes_from_store_to_store_as_it_is_stored() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (store(here.path()), store(there.path()));
        let child = Block::data(vec![7; 100_000].into());
        let parent = Block { links: vec![child.name()], body: Bytes::from_static(b"parent") };
        for block in [&child, &parent] {
            let packed = through_bytes(&packed(&here, block));
            assert_eq!((packed.name(), packed.links()), (block.name(), &block.links[..]));
            assert!(there.put_packed(&packed).unwrap());
            assert!(!there.put_packed(&packed).unwrap(), "it is there already");
            assert_eq!(&there.get(&block.name()).unwrap(), block);
        }
        let (here, there) = (here.statistics(), there.statistics());
        assert_eq!((here.stored_bytes, here.data_bytes), (there.stored_bytes, there.data_bytes));
    }

    #[test]
    fn content_that_does_not_match_its_name_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let mut bytes = Vec::new();
        packed(&store, &Block::data(Bytes::from_static(b"content"))).encode(&mut bytes);
        bytes[0] ^= 1;
        let block = PackedBlock::decode(bytes.clone().into()).unwrap();
        assert!(matches!(store.put_packed(&block), Err(Error::Corrupt { .. })));
        bytes[0] ^= 1;
        *bytes.last_mut().unwrap() ^= 1;
        let block = PackedBlock::decode(bytes.into()).unwrap();
        assert!(matches!(store.put_packed(&block), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn of_several_blocks_the_first_in_the_log_comes_first_and_one_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let mut names: Vec<_> = (0..20u8).map(|number| store.put(&Block::data(vec![number].into())).unwrap()).collect();
        let in_order = names.clone();
        names.sort();
        let mut read = Vec::new();
        let mut visit = |block: PackedBlock| {
            read.push(block.name());
            Ok(if read.len() < 15 { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
        };
        store.read_packed(&names, &mut visit).unwrap();
        assert_eq!(read, in_order[..15]);
        let missing = Block::data(Bytes::from_static(b"elsewhere")).name();
        let mut ignore = |_| Ok(std::ops::ControlFlow::Continue(()));
        let result = store.read_packed(&[names[0], missing], &mut ignore);
        assert!(matches!(result, Err(Error::Missing { name }) if name == missing));
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_block_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(block) = PackedBlock::decode(bytes.into()) {
                let _ = block.links().len();
                prop_assert!(block.unpack().is_err());
            }
        }
    }
}
