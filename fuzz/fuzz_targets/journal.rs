//! The intents of a journal, as recovery reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volume::fuzz_journal(bytes));
