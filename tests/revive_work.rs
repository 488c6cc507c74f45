//! A forked child gets a driver of its own at its first use of CUDA, and works; so do its children, many of them, its
//! threads, and a child that was made by no function that is interposed. All in silence, and the parent works before,
//! meanwhile and after. Fails when a call in the child is refused, when it is revived twice or without need, or when
//! anything of it reaches the parent: the stand-in driver ends a process whose channel another one has written into.

use forkguard_testkit::{Outcome, Program};

fn revive(scenario: &str) -> Outcome {
    let outcome = Program::reviving(scenario).with_events().run();
    outcome.assert_silent();
    outcome
}

fn count(outcome: &Outcome, event: &str) -> usize {
    let events = outcome.events();
    events.iter().filter(|told| told["event"] == event).count()
}

#[test]
fn a_child_works() {
    let outcome = revive("work");
    outcome.assert_stdout(&["child worked", "child exited 7", "parent worked"]);
    let events = outcome.events();
    let [initialised, revived] = &events[..] else {
        panic!("two events\n{}", outcome.story());
    };
    assert_eq!(initialised["event"], "initialised");
    assert_eq!(revived["event"], "revived");
    assert_eq!(revived["policy"], "revive");
    assert_eq!(revived["function"], "cuDeviceGetCount");
    assert_eq!(revived["initialised"]["pid"], initialised["pid"]);
    assert_eq!(revived["forked"]["pid"], initialised["pid"]);
    assert_eq!(revived["forked"]["child"], revived["pid"]);
    assert_eq!(revived["used"]["pid"], revived["pid"]);
    assert!(revived["took_us"].is_u64() && revived["driver_us"].is_u64());
}

#[test]
fn the_first_call_is_cu_init() {
    revive("init").assert_stdout(&[
        "child init 0",
        "child init 0",
        "child worked",
        "child exited 7",
        "parent worked",
    ]);
}

/// What is put back is what was there before the first attempt.
#[test]
fn a_parent_that_tried_twice() {
    revive("retried").assert_stdout(&[
        "first 304",
        "child worked",
        "child exited 7",
        "parent worked",
    ]);
}

#[test]
fn a_child_without_cuda_is_left_alone() {
    let outcome = revive("silent");
    outcome.assert_stdout(&["child exited 7", "parent worked"]);
    assert_eq!(count(&outcome, "revived"), 0);
}

#[test]
fn two_hundred_one_after_the_other() {
    let outcome = revive("one-by-one");
    outcome.assert_stdout(&["200 children worked", "parent worked"]);
    assert_eq!(count(&outcome, "revived"), 200);
}

#[test]
fn sixteen_at_once() {
    revive("at-once").assert_stdout(&[
        "parent meanwhile worked",
        "16 children worked",
        "parent worked",
    ]);
}

/// Each from the same copy, and each the child of the one before.
#[test]
fn three_deep() {
    let outcome = revive("deep");
    outcome.assert_stdout(&[
        "level 1 worked",
        "level 2 worked",
        "level 3 worked",
        "parent worked",
    ]);
    for event in outcome.events().iter().skip(1) {
        assert_eq!(event["initialised"]["pid"], event["forked"]["pid"]);
        assert_eq!(event["forks"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(count(&outcome, "revived"), 3);
}

/// It forks a helper, and looks itself up, as the parent's did.
#[test]
fn the_drivers_own_habits_in_cu_init() {
    let outcome = Program::client("revive")
        .arg("work")
        .policy("revive,abort")
        .env("FAKE_CUDA_MODPROBE", "1")
        .env("FAKE_CUDA_SELF_LOOKUP", "1")
        .with_devices("")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["child worked", "child exited 7", "parent worked"]);
}

#[test]
fn threads_that_come_at_once() {
    let outcome = revive("threads");
    let mut lines = vec!["thread 1"; 8];
    lines.extend(["child worked", "child exited 7", "parent worked"]);
    outcome.assert_stdout(&lines);
    assert_eq!(count(&outcome, "revived"), 1);
}

#[test]
fn a_thread_that_forks() {
    revive("from-thread").assert_stdout(&["thread's child worked", "parent worked"]);
}

/// What the driver kept for that thread in the parent is not taken down by the child's driver.
#[test]
fn a_thread_that_forks_and_ends_in_the_child() {
    for way in ["thread-ends", "other-works"] {
        revive(way).assert_stdout(&["child worked", "child exited 7", "parent worked"]);
    }
}

const CLONED: [&str; 2] = [
    "clone worked, parent has its 7 descriptors",
    "parent worked",
];

#[test]
fn a_child_by_the_bare_system_call() {
    revive("clone").assert_stdout(&CLONED);
}

/// What is closed in the child stays open in the parent.
#[test]
fn a_child_that_shares_its_descriptors() {
    revive("clone-files").assert_stdout(&CLONED);
}

#[test]
fn a_handler_inside_of_fork() {
    let outcome = revive("handler");
    outcome.assert_stdout(&["child worked", "parent worked"]);
    assert_eq!(count(&outcome, "revived"), 1);
}
