//! An interrupt from the terminal ends workers that are fresh processes as it ends forked ones: each with its own
//! traceback and exit code 1, and the parent goes on. Fails when a worker does not get it, when one that was not ready
//! yet takes it for a failure of the guard's, or when the guard says a word.

use forkguard_testkit::{Outcome, python_with_packages};

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[track_caller]
fn assert_interrupted(outcome: &Outcome, said: &str, names: &[&str]) {
    for name in names {
        assert_eq!(
            count(said, &format!("Process {name}:")),
            1,
            "{}",
            outcome.story()
        );
    }
    assert_eq!(count(said, "Traceback"), names.len(), "{}", outcome.story());
    assert!(!said.contains("forkguard:"), "{}", outcome.story());
}

#[test]
fn workers_at_work() {
    let outcome = python_with_packages("exec_terminal.py")
        .policy("exec,abort")
        .run();
    outcome.assert_silent();
    let said = &outcome.stdout;
    assert_interrupted(&outcome, said, &["one", "two"]);
    for line in ["parent interrupted", "1 1", "status 0"] {
        assert_eq!(count(said, line), 1, "{}", outcome.story());
    }
}

#[test]
fn a_worker_that_is_not_ready() {
    let outcome = python_with_packages("exec_terminal.py")
        .arg("early")
        .policy("exec,abort")
        .run();
    outcome.assert_code(0).assert_stdout(&["1"]);
    assert_interrupted(&outcome, &outcome.stderr, &["one"]);
}
