//! With standard error closed the policy still acts, and the event still reaches its file. Fails when the guard
//! dies for want of a place for its text, or loses the event with it.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Program, client};
use std::fs;

#[test]
fn closed_from_the_start() {
    let directory = tempdir().expect("a directory for the report");
    let file = directory.path().join("events");
    let program =
        Program::at("/bin/sh").args(["-c", "exec \"$0\" dlsym child-use 2>&- </dev/null"]);
    let outcome = program
        .arg(client("roads"))
        .env("FORKGUARD_REPORT", &file)
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    let events = fs::read_to_string(&file).expect("the event's file");
    let violations = events
        .lines()
        .filter(|line| line.contains("\"event\":\"violation\""))
        .count();
    assert_eq!(violations, 1, "{events}\n{}", outcome.story());
}
