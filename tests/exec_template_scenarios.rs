//! Workers that are copies of the warm template keep every promise that executed ones keep: the same scenarios of
//! multiprocessing, with `FORKGUARD_TEMPLATE=1`. Fails when a worker is executed after all, when it is not what
//! multiprocessing promises, or when the guard says a word.

use forkguard_testkit::{Outcome, exec_scenarios, python_with_packages};

fn run(scenario: &str) -> Outcome {
    let outcome = python_with_packages("exec_scenarios.py")
        .arg(scenario)
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .with_events()
        .run();
    outcome.assert_stdout(&[&format!("{scenario} ok")]);
    let ways: Vec<String> = outcome
        .events()
        .iter()
        .filter(|event| event["event"] == "rewritten")
        .map(|event| event["way"].to_string())
        .collect();
    assert!(!ways.is_empty(), "{}", outcome.story());
    assert!(
        ways.iter().all(|way| way == "\"template\""),
        "{ways:?}\n{}",
        outcome.story()
    );
    outcome
}

exec_scenarios!(run);
