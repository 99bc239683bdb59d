//! The frames of a segment, as read from a damaged disk.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| block::fuzz_frame(bytes));
