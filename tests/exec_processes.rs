//! Under `exec` a worker that multiprocessing forks after CUDA is a fresh process that uses CUDA, and whatever
//! multiprocessing promises of a forked worker holds. Fails when a worker is a fork after all (CUDA refuses it there),
//! when a lock, queue, pipe, exit code or fd is not what the parent expects, or when the guard says a word.

use forkguard_testkit::{Outcome, exec_scenarios, python_with_packages};

fn run(scenario: &str) -> Outcome {
    let outcome = python_with_packages("exec_scenarios.py")
        .arg(scenario)
        .policy("exec,abort")
        .with_events()
        .run();
    outcome.assert_stdout(&[&format!("{scenario} ok")]);
    let events = outcome.events();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert!(named("rewritten") > 0, "{}", outcome.story());
    assert_eq!(
        (named("refused"), named("violation")),
        (0, 0),
        "{}",
        outcome.story()
    );
    outcome
}

fn runs_silently(scenario: &str) {
    run(scenario).assert_silent();
}

exec_scenarios!(runs_silently);

/// The worker's own traceback is all that is said.
#[test]
fn exception() {
    let outcome = run("exception");
    outcome.assert_says("ValueError: expected traceback");
    assert!(
        !outcome.stderr.contains("forkguard:"),
        "{}",
        outcome.story()
    );
}
