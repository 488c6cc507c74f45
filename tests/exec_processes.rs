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
    let named = |name: &str| outcome.events_named(name).len();
    assert!(named("rewritten") > 0, "{}", outcome.story());
    assert_eq!(
        (named("refused"), named("violation")),
        (0, 0),
        "{}",
        outcome.story()
    );
    outcome
}

exec_scenarios!(run);
