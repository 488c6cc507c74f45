//! A thread does not wait for ever for its turn to start a worker. Fails when a program hangs in whose objects, as they
//! are pickled, one thread waits for another that starts a worker as well.

use forkguard_testkit::python_with_packages;

#[test]
fn the_wait_for_a_turn_has_an_end() {
    python_with_packages("exec_each_other.py")
        .policy("exec,abort")
        .run()
        .assert_silent()
        .assert_stdout(&["['did not wait', 'waited']"]);
}
