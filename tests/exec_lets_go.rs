//! A start lets go of the program's objects. Fails when the process object, its target or anything of the adapter's
//! waits for a garbage collection: a finaliser of the program's would run late, or in another worker.

use forkguard_testkit::python_with_packages;

#[test]
fn nothing_is_kept_of_a_start() {
    let outcome = python_with_packages("exec_lets_go.py")
        .policy("exec,abort")
        .run();
    outcome.assert_silent().assert_stdout(&[
        "crossed []",
        "left behind []",
        "refused []",
        "garbage []",
    ]);
}
