//! A child that destroys what it inherited is told that the driver is going down (4), in silence; a child that
//! exits runs its inherited exit handlers and destructors unharmed, whatever they call. Fails when the guard kills
//! such a child, speaks, or changes its exit status.

use forkguard_testkit::Program;

#[test]
fn destroying_inherited_objects() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-teardown"])
        .run();
    outcome.assert_stdout(&[
        "child destroyed 4 4 4 4 4",
        "child exited 7",
        "parent count 0",
    ]);
    outcome.assert_silent();
}

#[test]
fn exit_handlers_that_destroy() {
    let outcome = Program::client("roads").args(["dlsym", "child-exit"]).run();
    outcome.assert_stdout(&[
        "exit handler destroyed 4 4 4 4 4",
        "child exited 5",
        "parent count 0",
        "exit handler destroyed 0 0 0 0 0",
    ]);
    outcome.assert_silent();
}

/// `cuCtxSynchronize` is a use, but not in a process that is on its way out.
#[test]
fn destructors_that_synchronise() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-exit-use"])
        .run();
    outcome.assert_stdout(&[
        "exit handler destroyed 4 4 4 4 4",
        "destructor synchronised 4",
        "child exited 5",
        "parent count 0",
        "exit handler destroyed 0 0 0 0 0",
        "destructor synchronised 0",
    ]);
    outcome.assert_silent();
}
