//! Under `cpu` an operation of XLA's plugin (JAX) in a forked child, which would wait for ever, is answered with an
//! error that the plugin's own functions for errors can be asked about: its text says whose memory it is. The
//! plugin's own errors are read as ever, who waits is called back with ours, and what frees the parent's objects
//! succeeds without waiting for the threads that are not there. Fails when the answer is a number, or the wait takes
//! place (the child's alarm, signal 14), or our error object comes to the plugin.

use forkguard_testkit::Program;

fn program() -> Program {
    Program::client("pjrt").args(["libxla_cuda_like.so", "child-errors"])
}

#[test]
fn errors_of_both_kinds_are_read() {
    let outcome = program().policy("cpu").run();
    outcome.assert_silent().assert_stdout(&[
        "create well",
        "execute well",
        "child devices well",
        "child destroy well",
        "child code 9",
        "child message names the parent",
        "child event well",
        "child wait well, called back with the error",
        "child lookup: no such device",
        "child client destroyed well",
        "child exited 3",
        "execute well",
    ]);
}

#[test]
fn without_the_guard_the_child_hangs() {
    let outcome = program().bare().run();
    assert!(
        outcome
            .stdout
            .contains("child killed by signal 14\nexecute well"),
        "{}",
        outcome.stdout
    );
}
