#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| forkguard_fuzz::run(&forkguard::fuzz::TARGETS, "payload", data));
