//! A Python program's report names the three lines that matter: where CUDA was initialised, where the fork was,
//! where it was used; in the text and in the event. Fails when a stack is read too late, too early, or from the
//! wrong thread.

use forkguard_testkit::{Outcome, marked_line, python};
use serde_json::Value;

fn has_line(place: &Value, line: usize) -> bool {
    let frames = place["python"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    frames.iter().any(|frame| {
        frame["line"] == line
            && frame["file"]
                .as_str()
                .is_some_and(|file| file.ends_with("workers.py"))
    })
}

/// Several workers of one pool may each have said it: all their events must agree.
fn assert_places(outcome: &Outcome, way: &str) {
    let marks = [
        "# INIT".to_owned(),
        format!("# FORK {way}"),
        "# USE".to_owned(),
    ];
    let [init, fork, used] = marks.map(|mark| marked_line("workers.py", &mark));
    for line in [init, fork, used] {
        outcome.assert_says(&format!("workers.py:{line}"));
    }
    let events = outcome.events();
    let violations: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "violation")
        .collect();
    assert!(!violations.is_empty(), "no event\n{}", outcome.story());
    for event in violations {
        assert!(
            has_line(&event["initialised"], init),
            "initialised: {event}"
        );
        let forked = &event["forked"];
        let forks = forked
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![forked.clone()]);
        assert!(
            forks.iter().any(|place| has_line(place, fork)),
            "forked: {event}"
        );
        assert!(has_line(&event["used"], used), "used: {event}");
    }
}

#[test]
fn a_process_that_dies() {
    for way in ["process", "os.fork"] {
        let outcome = python("workers.py").args([way, "cuda"]).with_events().run();
        let died = if way == "process" {
            "process -6"
        } else {
            "os.fork 6"
        };
        outcome.assert_stdout(&["init 0", died]);
        assert_places(&outcome, way);
    }
}

/// Under `warn`: a pool whose workers die waits for ever, with or without a guard.
#[test]
fn a_pool_that_is_warned() {
    for way in ["pool", "executor"] {
        let outcome = python("workers.py")
            .args([way, "cuda"])
            .policy("warn")
            .with_events()
            .run();
        outcome.assert_stdout(&["init 0", &format!("{way} [3, 3, 3, 3]")]);
        assert_places(&outcome, way);
    }
}
