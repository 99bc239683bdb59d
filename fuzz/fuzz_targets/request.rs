//! The requests of a kernel, as they come from `/dev/fuse`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuse::fuzz_request(bytes));
