//! `FORKGUARD_REPORT=stderr` puts the event on standard error in place of the text. Fails when a machine that reads
//! standard error finds text between the events, or none.

use forkguard_testkit::Program;
use serde_json::Value;

#[test]
fn json_in_place_of_text() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .env("FORKGUARD_REPORT", "stderr")
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    let events: Vec<Value> = outcome
        .stderr
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error}\n{}", outcome.story()))
        })
        .collect();
    let violations = events
        .iter()
        .filter(|event| event["event"] == "violation")
        .count();
    assert_eq!(violations, 1, "{}", outcome.story());
}
