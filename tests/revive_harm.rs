//! What goes wrong in a child under `revive` stays in the child: it is killed in the middle of it, is made while the
//! parent is still initialising, or breaks its word not to use what is the parent's. Fails when the parent's work or its
//! end is disturbed, or when a child that keeps its word crashes at its end.

use forkguard_testkit::{Outcome, Program, slower};

fn revive(scenario: &str) -> Outcome {
    Program::reviving(scenario)
        .env("FORKGUARD_REVIVE", "foreign-handles-unused")
        .run()
}

#[test]
fn a_child_is_killed_in_the_middle() {
    let outcome = revive("killed");
    outcome.assert_silent().assert_stdout(&[
        "child killed by signal 9",
        "next child worked",
        "parent worked",
    ]);
}

#[test]
fn a_fork_while_another_thread_initialises() {
    revive("meanwhile")
        .assert_silent()
        .assert_stdout(&["child worked", "parent worked"]);
}

/// With 0.5 MB of the driver's data, 37 mappings of its devices among 2000 others, and a library that is not optimised.
/// Measured with one that is: 2 ms. The best of five children counts, for the machine may be busy.
#[test]
fn it_is_quick_in_a_large_process() {
    let outcome = Program::client("revive")
        .arg("large")
        .policy("revive,abort")
        .env("FORKGUARD_REVIVE", "foreign-handles-unused")
        .with_events()
        .with_devices("")
        .run();
    outcome.assert_silent().assert_stdout(&["parent worked"]);
    let events = outcome.events();
    let took = events.iter().filter_map(|event| event["took_us"].as_u64());
    let took: Vec<u64> = took.collect();
    assert_eq!(took.len(), 5);
    let bound = 30_000 * u64::from(slower());
    assert!(took.iter().any(|&us| us < bound), "{took:?}");
}

#[test]
fn a_parent_with_a_context() {
    revive("context").assert_silent().assert_stdout(&[
        "child worked",
        "child exited 7",
        "parent worked",
    ]);
}

/// Handles of the parent's are taken down by inherited handlers, which the child's driver must not see; before the end
/// the child's own are.
#[test]
fn a_child_that_exits_with_the_parents_handles() {
    revive("exit").assert_silent().assert_stdout(&[
        "child worked",
        "exit handler 4 4 4 4 4",
        "destructor 4",
        "child exited 7",
        "parent worked",
    ]);
}

/// Without the parent's mappings a stale handle is a crash; with them it would be the parent's work.
#[test]
fn a_child_that_breaks_its_word() {
    let outcome = revive("misuse");
    outcome.assert_silent().assert_stdout(&[
        "misuse 0",
        "child killed by signal 11",
        "parent worked",
    ]);
}
