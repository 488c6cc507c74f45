//! A SIGKILL at any moment of a start is what it is without the guard: the parent gets a dead child, and a parent that
//! is killed leaves a worker that comes to its end. Fails when the parent hangs, does not see that its child is dead,
//! loses a lock or an fd, or when something is left that never ends.

mod faults;

use faults::Counts;

#[test]
fn the_fresh_process() {
    let Counts(counts) = faults::run("killed");
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts["dead -9"] >= 60, "{counts:?}");
}

#[test]
fn its_parent() {
    let Counts(counts) = faults::run("orphaned");
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(counts["-9"] >= 10 && counts["0"] == 1, "{counts:?}");
}
