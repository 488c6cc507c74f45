//! Whatever runs out while a fresh process is started (memory, descriptors, processes, room for what it is to read),
//! the program goes on: its fork stays a fork, or fails as it would, and nothing is left behind. Each system call of
//! the start fails in a start of its own. Fails when a start hangs, loses a lock, an fd or a child, makes a worker that
//! lacks something, or says a word.

mod faults;

use faults::Counts;

/// There are no fewer system calls that can fail: otherwise the faults missed the start.
const CALLS: u32 = 20;

#[test]
fn each_call_fails_once() {
    let Counts(counts) = faults::run("fails");
    for result in counts.keys() {
        assert!(
            ["a fork", "a fresh process"].contains(&result.as_str()),
            "{counts:?}"
        );
    }
    assert!(counts["a fork"] >= CALLS, "{counts:?}");
}

#[test]
fn from_each_call_on_all_fail() {
    let Counts(counts) = faults::run("exhausted");
    assert!(counts["BlockingIOError"] >= CALLS, "{counts:?}");
    assert_eq!(counts.len(), 1, "{counts:?}");
}
