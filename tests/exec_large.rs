//! Large data crosses into fresh processes whole and copied on write; what did not change since the last start is not
//! written again, arrays and all else. Fails when a worker sees stale or another array's data, when a write gets out of its worker, when
//! fresh processes start with more and more descriptors, or when much data is copied for a worker that has no name for it.

use forkguard_testkit::{Outcome, python_with_packages};

fn run(what: &str) -> Outcome {
    let outcome = python_with_packages("exec_large.py")
        .arg(what)
        .policy("exec,abort")
        .with_events()
        .run();
    outcome.assert_silent();
    outcome
}

fn written(outcome: &Outcome) -> Vec<u64> {
    let events = outcome.events();
    let rewritten = events.iter().filter(|event| event["event"] == "rewritten");
    rewritten
        .filter_map(|event| event["carried_bytes"].as_u64())
        .collect()
}

#[test]
fn what_is_the_same_is_written_once() {
    let outcome = run("same");
    outcome.assert_stdout(&[
        "[(((0, 0), 1, 0), 0, 0), (((0, 0), 1, 0), 0, 0), (((0, 0), 1, 0), 0, 0)] 0",
    ]);
    let written = written(&outcome);
    assert_eq!(written.len(), 3, "{}", outcome.story());
    assert!(
        written[0] > 32 << 20 && written[1].max(written[2]) < 1 << 20,
        "{written:?}"
    );
}

#[test]
fn a_large_pickle_is_written_once_for_a_pool() {
    let outcome = run("texts");
    outcome.assert_stdout(&[
        "['00', '11', '22', '33', '44', '55', '66', '77']",
        "['00', '11', '22', 'x3', '44', '55', '66', '77']",
        "['77', '66', '55', '44', '33', '22', '11', '00']",
    ]);
    let written = written(&outcome);
    // Nine of the pool's, one with other work, one with a letter changed, one with all of it.
    let whole: Vec<bool> = written.iter().map(|&size| size > 24 << 20).collect();
    let expected = (0..12).map(|number| [0, 11].contains(&number));
    assert_eq!(whole, expected.collect::<Vec<_>>(), "{written:?}");
    assert!(
        written
            .iter()
            .all(|size| !(2 << 20..24 << 20).contains(size)),
        "{written:?}"
    );
}

#[test]
fn what_changed_is_written_again() {
    let outcome = run("changed");
    let seen: Vec<String> = (0..8)
        .map(|number| format!("(({number}, 0), 1, 0)"))
        .collect();
    outcome.assert_stdout(&[&format!("[{}]", seen.join(", ")), "True", "True"]);
    let written = written(&outcome);
    assert!(
        written[1..]
            .iter()
            .all(|&size| size > 16 << 20 && size < 17 << 20),
        "{written:?}"
    );
}

#[test]
fn what_nobody_names_is_not_copied() {
    let outcome = run("unused");
    outcome.assert_stdout(&["True"]);
    assert!(written(&outcome)[0] < 1 << 20, "{}", outcome.story());
}
