//! Another interposer of cuInit, linked with the program or preloaded with the guard, gets the next function in
//! line: never NULL, never itself. Fails when the guard leads a lookup back to whoever made it (it says so and ends
//! with 91 or 92).

use forkguard_testkit::{Program, client};

#[test]
fn linked_with_the_program() {
    let program = Program::client("interposed");
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn preloaded_after_the_guard() {
    let program = Program::client("linked")
        .arg("use")
        .preload(client("libinterposer.so"));
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

/// The child's use is seen although somebody else stands in front of the driver, too.
#[test]
fn a_violation_beside_it() {
    let program = Program::client("linked")
        .arg("child-use")
        .preload(client("libinterposer.so"));
    program.run().assert_reports("cuDeviceGetCount");
}
