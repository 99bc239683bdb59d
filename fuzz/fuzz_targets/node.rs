//! The nodes of a tree, as read from a block that somebody else made.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tree::fuzz_node(bytes));
