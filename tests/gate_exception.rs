//! A C++ exception passes through the gate's trap. Fails when the trap has no unwind information: the program is
//! terminated then.

use forkguard_testkit::Program;

#[test]
fn a_callback_throws_through_the_first_call() {
    let outcome = Program::client("throws").run();
    outcome.assert_silent().assert_stdout(&[
        "caught: through the driver, 2 destroyed",
        "caught: through the driver, 4 destroyed",
    ]);
}
