//! A C++ exception passes through the gate's trap. Fails when the trap has no unwind information: the program is
//! terminated then.

use forkguard_testkit::Program;

#[test]
fn a_callback_throws_through_the_first_call() {
    let caught = [
        "caught: through the driver, 2 destroyed",
        "caught: through the driver, 4 destroyed",
    ];
    Program::client("throws")
        .run()
        .assert_silent()
        .assert_stdout(&caught);
    // Each first call goes through the trap there.
    let trapped = Program::client("throws")
        .env("FORKGUARD_VERBOSE", "2")
        .run();
    trapped.assert_stdout(&caught);
    assert!(trapped.stderr.contains(" uses cu"), "{}", trapped.story());
}
