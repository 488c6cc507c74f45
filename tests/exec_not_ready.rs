//! A fresh process that cannot be made ready tells its parent why; the next one of its kind is refused for that reason,
//! and the chain goes on. What the worker does not use costs it nothing. Fails when a pool starts workers without end
//! (its tasks are never done), when the reason is lost, or when a worker is refused for what it does not use.

use forkguard_testkit::{Outcome, python_with_packages};

/// Where the program says no. What it says is on standard error, and in no event.
const RAISED: &str = "exec_not_ready.py:17 in make";

fn run(what: &str, chain: &str) -> Outcome {
    python_with_packages("exec_not_ready.py")
        .arg(what)
        .policy(chain)
        .with_events()
        .run()
}

fn reasons(outcome: &Outcome) -> Vec<String> {
    let events = outcome.events();
    let refused = events.iter().filter(|event| event["event"] == "refused");
    refused.map(|event| event["reason"].to_string()).collect()
}

#[test]
fn an_argument() {
    let outcome = run("argument", "exec,warn");
    outcome.assert_stdout(&["[(0, 3), (1, 3)]"]);
    outcome.assert_says("the fresh process for a worker could not be made ready");
    outcome.assert_says("the hardware is not to be opened twice");
    let reasons = reasons(&outcome);
    assert!(!reasons.is_empty(), "{}", outcome.story());
    for reason in reasons {
        assert!(
            reason.contains("an earlier fresh process") && reason.contains(RAISED),
            "{reason}"
        );
    }
}

#[test]
fn a_global_that_the_worker_uses() {
    let outcome = run("global", "exec,warn");
    outcome.assert_stdout(&["[(0, 3), (1, 3)]"]);
    let reasons = reasons(&outcome);
    assert!(!reasons.is_empty(), "{}", outcome.story());
    for reason in reasons {
        for part in ["`fragile`", RAISED, "begin_with_global"] {
            assert!(reason.contains(part), "{reason}");
        }
    }
}

#[test]
fn a_global_that_it_does_not_use() {
    let outcome = run("unused", "exec,abort");
    outcome.assert_silent().assert_stdout(&["[(0, 0), (1, 0)]"]);
    assert_eq!(reasons(&outcome), Vec::<String>::new());
}
