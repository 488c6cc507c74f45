//! `FORKGUARD_EXIT_CODE` makes `abort` end the child with that code in place of SIGABRT, without running its exit
//! handlers. Fails when it dies by the signal, or its inherited handlers run.

use forkguard_testkit::Program;

#[test]
fn the_child_ends_with_it() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .env("FORKGUARD_EXIT_CODE", "42")
        .run();
    outcome.assert_stdout(&["child exited 42", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}
