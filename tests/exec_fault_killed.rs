//! A SIGKILL at any moment of a start is what it is without the guard: the parent gets a dead child, and a parent that
//! is killed leaves a worker that comes to its end. Fails when the parent hangs, does not see that its child is dead,
//! loses a lock or an fd, or when something is left that never ends.

mod faults;

use faults::{Counts, Start};

#[test]
fn the_executed_process() {
    let Counts(counts) = faults::run("killed", Start::Executed);
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts["dead -9"] >= 60, "{counts:?}");
}

#[test]
fn the_executed_process_by_sigterm() {
    let Counts(counts) = faults::run("terminated", Start::Executed);
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts["dead -15"] >= 60, "{counts:?}");
}

/// A template that is killed costs a start no more than time: the worker is executed.
#[test]
fn the_template_or_its_copy() {
    let Counts(counts) = faults::run("killed", Start::Template);
    assert!(counts["dead -9"] >= 30, "{counts:?}");
    let others = counts.keys().filter(|result| *result != "dead -9");
    assert!(
        others.into_iter().all(|result| result == "a fresh process"),
        "{counts:?}"
    );
}

fn their_parent(start: Start) {
    let Counts(counts) = faults::run("orphaned", start);
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(counts["-9"] >= 10 && counts["0"] == 1, "{counts:?}");
}

#[test]
fn the_parent_of_an_executed_process() {
    their_parent(Start::Executed);
}

#[test]
fn the_parent_of_a_template() {
    their_parent(Start::Template);
}
