//! An interrupt at any moment of a start reaches the program: `KeyboardInterrupt`, and no process that it does not know
//! of. Fails when the interrupt is lost, when a worker runs though its start was interrupted, or when the guard keeps
//! something of it; or when a handler that forks meanwhile gets the worker for its own child.

mod faults;

use faults::{Counts, Start};

fn at_each_system_call(start: Start) {
    let Counts(counts) = faults::run("interrupted", start);
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts["KeyboardInterrupt"] >= 40, "{counts:?}");
}

#[test]
fn of_a_start_by_execution() {
    at_each_system_call(Start::Executed);
}

#[test]
fn of_a_start_by_the_template() {
    at_each_system_call(Start::Template);
}

fn a_handler_forks_at_each_system_call(start: Start) {
    let Counts(counts) = faults::run("handled", start);
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(counts["a fresh process"] >= 40, "{counts:?}");
    assert_eq!(counts["handled"], counts["a fresh process"], "{counts:?}");
}

#[test]
fn handled_in_a_start_by_execution() {
    a_handler_forks_at_each_system_call(Start::Executed);
}

#[test]
fn handled_in_a_start_by_the_template() {
    a_handler_forks_at_each_system_call(Start::Template);
}
