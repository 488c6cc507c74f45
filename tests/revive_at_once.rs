//! Threads whose first calls come at once, in the parent or in a forked child, and what the child gets of it: one
//! thread notes how things are when `cuInit` has succeeded, and the others wait for that; and none is answered by a
//! driver that is being put back. Fails when the runtime that a thread has started meanwhile counts as the driver's own
//! (the child is refused), when a descriptor that it has opened does (the child loses it), when libcuda's count as
//! somebody else's (they stay in the child), when a child waits for a thread that it has not, or when a runtime is given
//! tables before the child has its driver.

use forkguard_testkit::Program;

fn at_once(scenario: &str, stdout: &[&str]) {
    let outcome = Program::client("revive_at_once")
        .arg(scenario)
        .policy("revive,abort")
        .with_devices("")
        .run();
    outcome.assert_silent().assert_stdout(stdout);
}

#[test]
fn a_runtime_that_starts_before_the_other_is_back() {
    at_once(
        "runtime",
        &[
            "parent runtime 0",
            "child runtime 0",
            "child exited 7",
            "parent runtime 0",
        ],
    );
}

#[test]
fn a_child_that_is_forked_before_it_is_noted() {
    at_once("fork", &["child exited 7"]);
}

#[test]
fn nvml_opens_its_files_before_the_other_is_back() {
    at_once("nvml", &["child has it 1", "child exited 7"]);
}

#[test]
fn one_that_comes_when_the_other_is_back() {
    at_once(
        "descriptors",
        &["parent has 7", "child has 7", "child exited 7"],
    );
}

#[test]
fn a_runtime_asks_for_tables_while_the_driver_is_put_back() {
    at_once(
        "table",
        &[
            "parent runtime 0",
            "child has a table before its driver 0",
            "child runtime 0",
            "child exited 7",
        ],
    );
}

/// A child that is forked while its parent, itself a forked child, gets its driver.
fn forked_meanwhile(moment: &str) {
    at_once(
        moment,
        &[
            "parent runtime 0",
            "grandchild runtime 0",
            "grandchild exited 7",
            "child runtime 0",
            "child exited 7",
            "parent runtime 0",
        ],
    );
}

#[test]
fn a_grandchild_while_what_was_the_parents_is_dropped() {
    forked_meanwhile("dropped");
}

#[test]
fn a_grandchild_while_the_driver_starts() {
    forked_meanwhile("starting");
}

#[test]
fn a_grandchild_of_a_handler() {
    forked_meanwhile("handler");
}
