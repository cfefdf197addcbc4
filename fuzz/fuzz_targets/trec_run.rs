#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knockon_fuzz::run("trec_run", bytes));
