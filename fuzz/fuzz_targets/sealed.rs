//! Key slots and sealed bodies, as read from a store that somebody else made.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seal::fuzz_sealed(bytes));
