//! Signals land anywhere in the guard: in the gate, in its fork, in its report; their handlers call the driver and fork,
//! and run on stacks that have no room to spare. Fails when a handler finds a lock held, when a call is answered wrongly,
//! when a child is lost, when a violation is told twice, or not, or when a fork that led to it is not told.

use forkguard_testkit::{Outcome, Program};

fn signalled(what: &str) -> Outcome {
    Program::client("signalled").arg(what).run()
}

/// Full reports, and lines that name another process's.
fn reports(outcome: &Outcome) -> (usize, usize) {
    let full = outcome.stderr.matches(" used here ").count();
    let repeated = outcome.stderr.matches(" already reported").count();
    (full, repeated)
}

#[test]
fn in_the_gate() {
    let outcome = signalled("gate");
    outcome.assert_silent();
    assert!(
        outcome.stdout.ends_with("the handler ran\n"),
        "{}",
        outcome.story()
    );
}

#[test]
fn in_forks() {
    let outcome = signalled("forks");
    outcome.assert_silent().assert_stdout(&["the handler ran"]);
}

#[test]
fn in_the_report() {
    let outcome = signalled("report");
    let dead = "child killed by signal 6";
    outcome.assert_code(0);
    outcome.assert_stdout(&[dead, dead, dead, dead, dead, "parent count 0"]);
    assert_eq!(reports(&outcome), (1, 4), "{}", outcome.story());
}

/// The handler's child and the other may come to their use at the same time: one tells.
fn within_a_fork(moment: &str) {
    let outcome = Program::client("signalled").arg(moment).with_events().run();
    let mut said: Vec<&str> = outcome.stdout.lines().collect();
    said.sort_unstable();
    let dead = ["inner killed by signal 6", "outer killed by signal 6"];
    assert_eq!(
        said,
        [dead[0], dead[1], "parent count 0"],
        "{}",
        outcome.story()
    );
    assert_eq!(reports(&outcome), (1, 1), "{}", outcome.story());
    for event in outcome.events_named("violation") {
        let mut process = event["initialised"]["pid"].clone();
        for fork in event["forks"].as_array().expect("an array") {
            assert_eq!(fork["pid"], process, "{event}");
            process = fork["child"].clone();
        }
        assert_eq!(event["pid"], process, "{event}");
    }
}

#[test]
fn within_a_fork_before_it() {
    within_a_fork("before");
}

#[test]
fn within_a_fork_in_the_parent() {
    within_a_fork("parent");
}

#[test]
fn within_a_fork_in_the_child() {
    within_a_fork("child");
}

#[test]
fn on_the_smallest_stack_of_a_thread() {
    let outcome = signalled("tiny");
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}

/// A stack for handlers of less room than a report takes; the report tells where on it CUDA was used, and from where it
/// was come to.
#[test]
fn on_the_stack_of_a_handler() {
    let program = Program::client("signalled").args(["stack", "4096"]);
    let outcome = program.with_events().run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
    let events = outcome.events_named("violation");
    let frames = events[0]["used"]["native"].as_array();
    let is_main = |frame: &serde_json::Value| frame["symbol"] == "main";
    assert!(frames.is_some_and(|frames| frames.iter().any(is_main)));
}
