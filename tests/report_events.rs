//! `FORKGUARD_REPORT` gets one JSON object for a violation, with the three places in it, besides the text on
//! standard error. Fails when a member that the README promises is missing or names the wrong process.

use forkguard_testkit::Program;

#[test]
fn a_violation_is_one_event() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .with_events()
        .run();
    outcome.assert_reports("cuDeviceGetCount");
    let events = outcome.events();
    let violations: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "violation")
        .collect();
    let [event] = violations.as_slice() else {
        panic!("{} violations\n{}", violations.len(), outcome.story())
    };
    assert_eq!(event["schema"], 1);
    assert_eq!(event["policy"], "abort");
    assert_eq!(event["function"], "cuDeviceGetCount");
    assert!(
        event["exe"]
            .as_str()
            .is_some_and(|exe| exe.ends_with("/roads")),
        "{event}"
    );
    assert_eq!(event["pid"], event["used"]["pid"]);
    assert_eq!(event["ppid"], event["initialised"]["pid"]);
    assert_ne!(event["pid"], event["ppid"]);
    for place in ["initialised", "used"] {
        let native = event[place]["native"].as_array().map_or(0, Vec::len);
        assert!(native > 0, "no native stack at {place}: {event}");
        assert!(
            event[place]["tid"].is_number() && event[place]["time"].is_string(),
            "{place}: {event}"
        );
    }
    assert!(!event["forked"].is_null(), "{event}");
    assert!(
        event["advice"]
            .as_array()
            .is_some_and(|advice| !advice.is_empty()),
        "{event}"
    );
}

#[test]
fn a_clean_program_has_no_violation() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-clean"])
        .with_events()
        .run();
    outcome.assert_silent();
    assert!(
        outcome
            .events()
            .iter()
            .all(|event| event["event"] != "violation"),
        "{}",
        outcome.story()
    );
}
