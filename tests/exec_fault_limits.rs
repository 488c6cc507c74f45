//! At the limits of a process (the size of files, memory, descriptors, the environment; an interpreter that is gone)
//! a start fails as a fork's does, or the fork stays a fork for a reason that is told; and afterwards all is as before.
//! Fails when the program gets what no fork gives it, is killed by a signal, or when a start that failed keeps
//! something.

use forkguard_testkit::{Program, python_with_packages};

fn limits(way: &str) -> Program {
    python_with_packages("exec_limits.py")
        .arg(way)
        .policy("exec,warn")
        .env("FORKGUARD_TEMPLATE", "0")
}

/// The starts went so, and this is why those that are forks are.
#[track_caller]
fn assert_went(way: &str, starts: &[&str], why: &[&str]) {
    let outcome = limits(way).with_events().run();
    outcome.assert_silent().assert_stdout(starts);
    let events = outcome.events();
    let refused = events.iter().filter(|event| event["event"] == "refused");
    let reasons: Vec<_> = refused.map(|event| event["reason"].to_string()).collect();
    assert_eq!(reasons.len(), why.len(), "{reasons:?}");
    for (reason, why) in reasons.iter().zip(why) {
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn files() {
    assert_went("files", &["fork", "fresh"], &["File too large"]);
}

#[test]
fn memory() {
    assert_went("memory", &["fork", "fresh"], &["MemoryError"]);
}

#[test]
fn environment() {
    assert_went(
        "environment",
        &["fork", "fresh"],
        &["could not be executed: Argument list too long"],
    );
}

#[test]
fn executable() {
    assert_went(
        "executable",
        &["fork", "fork", "fresh"],
        &["cannot be found", "is part of another program"],
    );
}

#[test]
fn descriptors() {
    limits("descriptors")
        .run()
        .assert_silent()
        .assert_stdout(&["without an error from 4 on"]);
}

#[test]
fn leaks() {
    limits("leaks")
        .run()
        .assert_silent()
        .assert_stdout(&["nothing is left"]);
}
