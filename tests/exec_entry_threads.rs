//! Threads that start workers at the same time each get their own, whatever else the process does meanwhile. Fails when
//! a worker has another one's data, holds what another one is told, is lost, is a fork, or when a thread waits for ever.

use forkguard_testkit::Program;

#[test]
fn each_has_its_own() {
    let outcome = Program::client("entry_threads")
        .policy("exec,abort")
        .with_events()
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["right 200 wrong 0"]);
    let events = outcome.events();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    // Of events that are made at the same moment only one may be told.
    assert!(named("rewritten") > 0, "{}", outcome.story());
    assert_eq!((named("refused"), named("violation")), (0, 0));
}

#[test]
fn one_that_is_killed() {
    let outcome = Program::client("entry_threads")
        .arg("kill")
        .policy("exec,abort")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["worker killed by signal 9"]);
}
