//! The memory that a family shares, and the descriptor that is kept so that it can be read from outside, are in no
//! program's way: no other program has them, a program's own descriptors are left alone, and where the system has no
//! room for them the guard works without. Fails when a descriptor gets across an exec, when one of the program's is
//! closed or its number taken, or when a limit that is low ends the program or silences the guard.

use forkguard_testkit::{Outcome, Program, python, python_with_packages};

fn record(scenario: &str) -> Program {
    python("record.py").arg(scenario)
}

#[test]
fn from_the_first_initialisation_on() {
    record("plain").run().assert_silent().assert_stdout(&[
        "before 0 0",
        "after 1 1",
        "child 1 1",
        "ended with 0",
    ]);
}

#[test]
fn none_where_the_guard_is_off() {
    let outcome = record("plain").policy("off").run();
    outcome.assert_silent().assert_stdout(&[
        "before 0 0",
        "after 0 0",
        "child 0 0",
        "ended with 0",
    ]);
}

#[test]
fn a_worker_that_is_a_fresh_process_has_none() {
    let program = python_with_packages("record.py").arg("worker");
    let fork = program.clone().policy("abort").run();
    fork.assert_silent().assert_stdout(&["worker 1 1"]);
    let fresh = program.policy("exec,abort").with_events().run();
    fresh.assert_silent().assert_stdout(&["worker 0 0"]);
    assert_eq!(fresh.events_named("rewritten").len(), 1);
}

#[test]
fn a_program_that_is_executed_has_none() {
    record("program").run().assert_silent().assert_stdout(&[
        "program []",
        "program []",
        "ended with 0",
    ]);
}

#[test]
fn a_program_that_runs_in_the_childs_place_has_none() {
    let listing = "sh -c 'ls -l /proc/self/fd | grep -c memfd:forkguard; exit 0'";
    let outcome = record("replaced")
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", listing)
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["0", "ended with 0"]);
}

/// The child's use of CUDA is reported, and the process is otherwise as it was.
fn guarded_without(scenario: &str, there: &str) -> Outcome {
    let outcome = record(scenario).policy("warn").run();
    outcome
        .assert_stdout(&[there, "ended with 0"])
        .assert_reports("cuDeviceGetCount");
    outcome
}

#[test]
fn where_no_number_is_out_of_the_way() {
    guarded_without("numbers", "after 0 1");
}

#[test]
fn where_files_may_not_be_that_large() {
    guarded_without("files", "after 0 0");
}

#[test]
fn where_the_kernel_refuses() {
    guarded_without("refused", "after 0 0");
}

#[test]
fn a_number_that_the_program_takes() {
    let outcome = record("taken")
        .with_devices("")
        .policy("revive,abort")
        .run();
    outcome.assert_silent().assert_stdout(&[
        "child 0 True",
        "ended with 0",
        "child 1 1",
        "ended with 0",
        "parent True",
    ]);
}
