//! Workers that several threads start at once are all fresh processes, each with what it was given. Fails when what the
//! adapter keeps between starts is not safe from threads: a fork is refused for no reason of the program's, or a worker
//! reads what was meant for another.

use forkguard_testkit::python_with_packages;

fn all_are_fresh(template: &str) {
    let outcome = python_with_packages("exec_at_once.py")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", template)
        .with_events()
        .run();
    let events = outcome.events();
    let refused = events.iter().find(|event| event["event"] == "refused");
    assert!(refused.is_none(), "refused: {}", refused.unwrap()["reason"]);
    outcome.assert_silent().assert_stdout(&["24"]);
}

#[test]
fn executed() {
    all_are_fresh("0");
}

#[test]
fn of_a_template() {
    all_are_fresh("1");
}
