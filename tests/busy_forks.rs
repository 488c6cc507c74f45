//! Forks while other threads are in lookups and in the driver leave no lock held in the child (mirrord#3659). Fails
//! when a hook on the way takes a lock: a child then dies by its alarm.

use forkguard_testkit::Program;

#[test]
fn before_anybody_initialised() {
    Program::client("busy").arg("before").run().assert_silent();
}

#[test]
fn after_initialisation() {
    Program::client("busy").arg("after").run().assert_silent();
}
