//! A grandchild's report keeps the whole chain: both forks, in order. Fails when a fork of a fork replaces the
//! record of the first one.

use forkguard_testkit::Program;

#[test]
fn both_forks_are_in_the_report() {
    let outcome = Program::client("roads").args(["dlsym", "grandchild"]).run();
    outcome.assert_stdout(&["grandchild killed by signal 6", "child exited 0"]);
    let report = outcome.report();
    for step in ["1 initialised", "2 forked", "3 forked", "4 used here"] {
        assert!(
            report.contains(step),
            "{step:?} is missing\n{}",
            outcome.story()
        );
    }
}

#[test]
fn a_child_that_initialised_is_where_the_chain_begins() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-of-late"])
        .run();
    outcome.assert_stdout(&[
        "grandchild killed by signal 6",
        "child count 0",
        "child exited 0",
    ]);
    outcome.assert_reports("cuDeviceGetCount");
}
