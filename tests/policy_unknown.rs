//! An unknown word for a policy is said once, at load, and the default stands. Fails when it is passed over in
//! silence, repeated by children, or turns the guard off.

use forkguard_testkit::Program;

#[test]
fn is_said_once_and_the_default_stands() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .policy("abrot")
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    let said = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("abrot"))
        .count();
    assert_eq!(said, 1, "{}", outcome.story());
    outcome.assert_reports("cuDeviceGetCount");
}
