//! A worker as a fresh process beside the same worker as a plain fork, which is the reference.

use crate::{Outcome, Program};

/// Runs a program that prints one line of what its worker saw, and at the end `init` and what CUDA answered there: once
/// with plain forks, once under `exec`, where nothing else may differ. Answers what it did under `exec`.
pub fn same_as_forked(program: Program) -> Outcome {
    let forked = program.clone().bare().run();
    let fresh = program.policy("exec,abort").with_events().run();
    fresh.assert_silent();
    let line = |text: &str, init: &str| text.trim_end().strip_suffix(init).map(str::to_owned);
    assert!(forked.stdout.ends_with("init 3\n"), "{}", forked.story());
    assert_eq!(
        line(&fresh.stdout, "init 0"),
        line(&forked.stdout, "init 3"),
        "{}\n--- forked\n{}",
        fresh.story(),
        forked.story()
    );
    fresh
}

/// The same for a program whose worker's last number, before a closing parenthesis and `end`, is what CUDA answered there.
pub fn answers_as_forked(program: Program, end: &str) {
    let forked = program.clone().bare().run();
    let fresh = program.policy("exec,abort").with_events().run();
    fresh.assert_silent().assert_code(0);
    assert!(forked.stdout.contains(", 3)"), "{}", forked.story());
    assert_eq!(
        forked
            .stdout
            .replace(&format!(", 3){end}"), &format!(", 0){end}")),
        fresh.stdout,
        "{}",
        fresh.story()
    );
    let rewritten = |event: &serde_json::Value| event["event"] == "rewritten";
    assert!(fresh.events().iter().any(rewritten), "{}", fresh.story());
}
