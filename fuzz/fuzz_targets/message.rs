//! The messages of a mirror, as another machine sends them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirror::fuzz_message(bytes));
