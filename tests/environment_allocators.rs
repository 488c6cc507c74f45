//! The guard beside another allocator, whichever of the two is preloaded first: jemalloc, tcmalloc, mimalloc. A right
//! program stays as it is, a wrong one is reported. Fails when the start becomes a circle (jemalloc#443: dlsym →
//! calloc → dlsym), when the guard allocates where the allocator is not ready, or when the allocator is missing.

use forkguard_testkit::{Program, library};

fn beside(allocator: &str) {
    let guard = library();
    let guard = guard.to_str().expect("the library's path is text");
    let right = Program::client("roads").args(["dlsym", "use"]).bare();
    let wrong = Program::client("roads").args(["dlsym", "child-use"]).bare();
    let alone = right.run();
    for preload in [
        format!("{guard}:{allocator}"),
        format!("{allocator}:{guard}"),
    ] {
        right
            .clone()
            .env("LD_PRELOAD", &preload)
            .run()
            .assert_silent()
            .assert_same_as(&alone);
        let outcome = wrong.clone().env("LD_PRELOAD", &preload).run();
        outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
        outcome.assert_reports("cuDeviceGetCount");
    }
}

#[test]
fn jemalloc() {
    beside("libjemalloc.so.2");
}

#[test]
fn tcmalloc() {
    beside("libtcmalloc_minimal.so.4");
}

#[test]
fn mimalloc() {
    beside("libmimalloc.so.2");
}
