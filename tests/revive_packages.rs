//! A real client under `revive`: cuda-bindings' workers by multiprocessing's fork, and their own, each have a driver of
//! their own. Fails when the way by which it came to its functions leads past the gate, or when a Python child is not
//! told from its parent.

use forkguard_testkit::python_with_packages;
use std::time::Duration;

#[test]
fn cuda_bindings_in_workers() {
    let outcome = python_with_packages("revive_bindings.py")
        .policy("revive,abort")
        .with_events()
        .patience(Duration::from_secs(120))
        .with_devices("")
        .run();
    outcome.assert_silent().assert_stdout(&[
        "parent 1",
        "(1, 1)",
        "(1, 1, 0, [1, 1, 1, 1, 1, 1, 1, 1])",
        "(2, 1)",
        "(2, 1, 0, [2, 2, 2, 2, 2, 2, 2, 2])",
        "exit [0, 0]",
        "parent [3, 3, 3, 3, 3, 3, 3, 3]",
    ]);
    let events = outcome.events();
    let revived = events.iter().filter(|event| event["event"] == "revived");
    let lines: Vec<_> = revived
        .map(|event| {
            let frames = event["used"]["python"].as_array().cloned();
            frames.unwrap_or_default().last().cloned()
        })
        .collect();
    assert_eq!(lines.len(), 4, "{}", outcome.story());
    for line in lines {
        let line = line.unwrap_or_default();
        let function = line["function"].as_str().unwrap_or_default();
        assert!(["child", "grandchild"].contains(&function), "{line}");
    }
}
