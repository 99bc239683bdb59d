//! Lookups and what takes them back.

use super::{AttrOut, wire};
use crate::Entry;

wire! {
    /// `struct fuse_entry_out`
    EntryOut: 128 {
        node: u64,
        generation: u64,
        entry_valid: u64,
        attr_valid: u64,
        entry_valid_nanoseconds: u32,
        attr_valid_nanoseconds: u32,
        attr: AttrOut,
    }

    /// `struct fuse_forget_in`
    ForgetIn: 8 {
        count: u64,
    }

    /// `struct fuse_batch_forget_in`
    BatchForgetIn: 8 {
        count: u32,
        dummy: u32,
    }

    /// `struct fuse_forget_one`
    ForgetOne: 16 {
        node: u64,
        count: u64,
    }
}

impl From<&Entry> for EntryOut {
    fn from(entry: &Entry) -> Self {
        Self {
            node: entry.node,
            generation: entry.generation,
            entry_valid: entry.entry_valid.as_secs(),
            attr_valid: entry.attr_valid.as_secs(),
            entry_valid_nanoseconds: entry.entry_valid.subsec_nanos(),
            attr_valid_nanoseconds: entry.attr_valid.subsec_nanos(),
            attr: (&entry.attr).into(),
        }
    }
}
