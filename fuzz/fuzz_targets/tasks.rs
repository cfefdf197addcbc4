#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knockon_fuzz::run("tasks", bytes));
