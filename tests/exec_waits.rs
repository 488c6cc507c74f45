//! Waiting for children is what it is without the guard: cancellation, handlers of SIGCHLD, every function's answer.
//! Fails when a thread that sleeps in a wait cannot be cancelled there, or an answer is other than the C library's.

use forkguard_testkit::Program;

#[test]
fn waits_of_a_program_without_a_template() {
    for policy in ["abort", "exec,abort"] {
        let outcome = Program::client("waits").policy(policy).run();
        outcome.assert_silent().assert_stdout(&["waits ok"]);
    }
}
