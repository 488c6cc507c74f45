//! Whatever runs out while a fresh process is started (memory, descriptors, processes, room for what it is to read),
//! the program goes on: its fork stays a fork, or fails as it would, and nothing is left behind. Each system call of
//! the start fails in a start of its own. Fails when a start hangs, loses a lock, an fd or a child, makes a worker that
//! lacks something, or says a word.

mod faults;

use faults::{Counts, Start};

/// There are no fewer system calls that can fail: otherwise the faults missed the start. How many there are depends on
/// the files that the test was started with.
const CALLS: u32 = 15;

fn each_call_fails_once(start: Start) {
    let Counts(counts) = faults::run("fails", start);
    for result in counts.keys() {
        assert!(
            ["a fork", "a fresh process"].contains(&result.as_str()),
            "{counts:?}"
        );
    }
    assert!(counts["a fork"] >= CALLS, "{counts:?}");
}

fn from_each_call_on_all_fail(start: Start) {
    let Counts(counts) = faults::run("exhausted", start);
    assert!(counts["BlockingIOError"] >= CALLS, "{counts:?}");
    // Python 3.12 opens a file of its own when all is done.
    let others = counts.keys().filter(|result| *result != "BlockingIOError");
    assert!(
        others.into_iter().all(|result| result == "a fresh process"),
        "{counts:?}"
    );
}

#[test]
fn once_when_it_is_executed() {
    each_call_fails_once(Start::Executed);
}

#[test]
fn once_when_the_template_makes_it() {
    each_call_fails_once(Start::Template);
}

#[test]
fn for_good_when_it_is_executed() {
    from_each_call_on_all_fail(Start::Executed);
}

#[test]
fn for_good_when_the_template_makes_it() {
    from_each_call_on_all_fail(Start::Template);
}
