#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lspipe::fuzzing::btf(input));
