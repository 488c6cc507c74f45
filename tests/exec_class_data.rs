//! Data in a class of the program's that cannot cross costs the fresh process only where the worker's code names it;
//! whoever comes to it otherwise is told. Fails when a worker is refused for what it never uses, runs without what it
//! names, or sees something else in its place without an error.

use forkguard_testkit::{Outcome, python_with_packages};

fn worker(piece: &str) -> Outcome {
    python_with_packages("exec_class_data.py")
        .arg(piece)
        .policy("exec,warn")
        .with_events()
        .run()
}

#[test]
fn not_asked_for() {
    let outcome = worker("only_there");
    outcome
        .assert_silent()
        .assert_stdout(&["only_there [] init 0"]);
    let events = outcome.events();
    let started = events.iter().find(|event| event["event"] == "rewritten");
    let suspicious = started.expect("the worker is a fresh process")["suspicious"].to_string();
    assert!(suspicious.contains("Registry.source"), "{suspicious}");
}

#[test]
fn named_in_the_code() {
    let outcome = worker("named");
    outcome.assert_stdout(&["named 1 init 3"]);
    let events = outcome.events();
    let refused = events.iter().find(|event| event["event"] == "refused");
    let reason = refused.expect("the fork stays a fork")["reason"].to_string();
    assert!(
        reason.contains("Registry.source") && reason.contains("generator"),
        "{reason}"
    );
}

#[test]
fn by_a_name_that_is_made_at_run_time() {
    let outcome = worker("by_a_made_name");
    outcome.assert_silent();
    assert!(
        outcome.stdout.contains("Registry.source cannot cross")
            && outcome.stdout.ends_with("init 0\n"),
        "{}",
        outcome.story()
    );
}
