//! What a program under `exec` shares with its forks harms it by nothing that a hostile one writes there: a fork may have
//! become another user, and its parent may be root. Fails when a page of what fresh processes told is taken for more than
//! text, or when the memory of a semaphore can be taken away from those that have it mapped.

use forkguard_testkit::python_with_packages;

#[test]
fn a_fork_that_writes_over_it() {
    let outcome = python_with_packages("security_shared.py")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "0")
        .run();
    outcome.assert_silent().assert_stdout(&[
        "(0, 0)",
        "['semaphores', 'status'] ['semaphores']",
        "(0, 0)",
    ]);
}
