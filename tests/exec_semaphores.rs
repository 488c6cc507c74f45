//! Under `exec` semaphores move into pages that a fresh process can map, and no program sees a difference: what C
//! programs do with theirs, named or not, gives what it gives without the guard. Fails when a semaphore that others have
//! open is parted from them, when one is lost or counts for two, or when more than one descriptor for 64 is used.

use forkguard_testkit::{Outcome, Program, python_with_packages};

fn run(scenario: &str) -> Program {
    Program::client("semaphores").arg(scenario)
}

fn as_without(scenario: &str) -> Outcome {
    let outcome = run(scenario).policy("exec").run();
    outcome
        .assert_silent()
        .assert_same_as(&run(scenario).bare().run());
    outcome
}

macro_rules! scenarios {
    ($($name:ident: $said:expr,)*) => {$(
        #[test]
        fn $name() {
            as_without(stringify!($name)).assert_stdout(&$said);
        }
    )*};
}

scenarios!(
    named: ["posted: yes"],
    forked: ["child exited 0"],
    anonymous: ["child exited 0", "right: 200", "again: 3"],
    closed: ["right: 600"],
    threads: ["wrong: 0, children well: 40"],
    too_many: ["right: 16484"],
    no_large_files: ["4"],
);

/// One for 64, and of those that are not used any more one is kept.
#[test]
fn descriptors() {
    let outcome = run("descriptors").policy("exec").run();
    outcome.assert_silent().assert_stdout(&["3", "1"]);
    let other = run("descriptors").policy("warn").run();
    other.assert_silent().assert_stdout(&["0", "0"]);
}

#[test]
fn of_processes_that_have_the_same_pid() {
    let program = python_with_packages("exec_semaphores_namespace.py").alone();
    let outcome = program.policy("exec,abort").run();
    outcome.assert_silent().assert_stdout(&["held True"]);
}
