//! An interrupt at any moment of a start reaches the program: KeyboardInterrupt, and no process that it does not know
//! of. Fails when the interrupt is lost, when a worker runs though its start was interrupted, or when the guard keeps
//! something of it.

mod faults;

use faults::Counts;

#[test]
fn at_each_system_call_of_the_start() {
    let Counts(counts) = faults::run("interrupted");
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts["KeyboardInterrupt"] >= 40, "{counts:?}");
}
