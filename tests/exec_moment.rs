//! A fork that comes before the interpreter could be told to watch for forks is rewritten as well, up to Python 3.12.
//! Fails when it hangs on a lock of the interpreter's, or its worker is a fork.

use forkguard_testkit::python_with_packages;

#[test]
fn a_fork_right_after_cuda_on_a_thread() {
    let outcome = python_with_packages("exec_moment.py")
        .policy("exec,abort")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["at once 0", "later 0"]);
}
