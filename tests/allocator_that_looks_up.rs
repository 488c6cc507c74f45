//! An allocator that finds libc's functions by dlsym lives beside the guard, preloaded before or after it
//! (jemalloc#443, tebako#527). Fails when the guard's dlsym allocates, or looks something up, in a circle.

use forkguard_testkit::{Program, client, library};
use std::env::join_paths;

#[test]
fn preloaded_after_the_guard() {
    let program = Program::client("roads")
        .args(["dlsym", "use"])
        .preload(client("liballocator.so"));
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn preloaded_before_the_guard() {
    let order = join_paths([client("liballocator.so"), library()]).expect("no colon in a path");
    let program = Program::client("roads").args(["gpa2", "use"]);
    program
        .clone()
        .env("LD_PRELOAD", order)
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn a_violation_beside_it() {
    let program = Program::client("roads").args(["dlsym", "child-use"]);
    program
        .preload(client("liballocator.so"))
        .run()
        .assert_reports("cuDeviceGetCount");
}
