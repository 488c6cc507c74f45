//! `revive` in a chain: the policy that follows acts on a child that cannot be served, and on no other; what stands before
//! it acts first. Fails when a chain stops at a refusal, or goes on after a service.

use forkguard_testkit::{Outcome, Program};

fn run(policy: &str, scenario: &str) -> Outcome {
    Program::client("revive")
        .arg(scenario)
        .policy(policy)
        .with_events()
        .with_devices("")
        .run()
}

fn names(outcome: &Outcome) -> Vec<String> {
    let name = |event: &serde_json::Value| event["event"].as_str().map(str::to_owned);
    outcome.events().iter().filter_map(name).collect()
}

#[test]
fn warn_follows() {
    let outcome = run("revive,warn", "failing");
    outcome.assert_stdout(&[
        "child count 3",
        "child count 3",
        "child exited 7",
        "parent worked",
    ]);
    outcome.assert_reports("cuDeviceGetCount");
    assert_eq!(names(&outcome), ["initialised", "refused", "violation"]);
}

#[test]
fn cpu_follows() {
    let outcome = run("revive,cpu", "failing");
    outcome.assert_silent().assert_stdout(&[
        "child count 100",
        "child count 100",
        "child exited 7",
        "parent worked",
    ]);
    assert_eq!(names(&outcome), ["initialised", "refused", "cpu"]);
}

#[test]
fn nothing_follows() {
    let outcome = run("revive", "failing");
    outcome.assert_stdout(&["child killed by signal 6", "parent worked"]);
    outcome.assert_reports("cuDeviceGetCount");
}

/// A program without Python: `exec` has nothing to start.
#[test]
fn exec_comes_before() {
    let outcome = run("exec,revive,abort", "work");
    outcome
        .assert_silent()
        .assert_stdout(&["child worked", "child exited 7", "parent worked"]);
    assert_eq!(names(&outcome), ["initialised", "revived"]);
}

#[test]
fn a_served_child_hears_of_nobody_else() {
    let outcome = run("revive,cpu", "work");
    outcome
        .assert_silent()
        .assert_stdout(&["child worked", "child exited 7", "parent worked"]);
    assert_eq!(names(&outcome), ["initialised", "revived"]);
}

#[test]
fn it_is_told_where_that_is_asked_for() {
    let verbose = |scenario| {
        Program::client("revive")
            .arg(scenario)
            .policy("revive,warn")
            .env("FORKGUARD_VERBOSE", "1")
            .with_devices("")
            .run()
    };
    let told = verbose("work");
    told.assert_code(0)
        .assert_says("used CUDA in a forked process (cuDeviceGetCount): it has a driver of its own now (policy revive, ");
    let told = verbose("failing");
    told.assert_code(0).assert_says(
        "it gets no driver of its own (policy revive): the driver was put back, and cuInit answered 304",
    );
}
