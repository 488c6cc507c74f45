#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| forkguard_fuzz::run(&forkguard_cli::fuzz::TARGETS, "story", data));
