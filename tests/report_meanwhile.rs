//! A process that is forked while its parent reports, by another thread or by a handler that interrupts the report, has a
//! report of its own. Fails when it waits for the end of a report that nobody makes in it, or ends without a word.

use forkguard_testkit::Program;

fn forked_meanwhile(by: &str) {
    let outcome = Program::client("reporting").arg(by).run();
    outcome.assert_code(0);
    outcome.assert_stdout(&["inner killed by signal 6", "child killed by signal 6"]);
    for function in ["cuDeviceGet,", "cuDeviceGetCount,"] {
        let told = outcome
            .stderr
            .lines()
            .filter(|line| line.contains(" used here ") && line.contains(function));
        assert_eq!(told.count(), 1, "{function}\n{}", outcome.story());
    }
}

#[test]
fn by_another_thread() {
    forked_meanwhile("thread");
}

#[test]
fn by_a_handler() {
    forked_meanwhile("handler");
}
