//! A child that uses CUDA is seen however it was made: by any function of the fork family, by any thread, by the
//! raw system call, in a pid namespace where it has the pid of the process that initialised. Fails when a way to
//! fork leaves the gate's table filled, or the lineage unknown.

use forkguard_testkit::Program;

fn seen(way: &str, expected: &[&str]) {
    let outcome = Program::client("forks").args([way, "use"]).run();
    if outcome.code() == Some(77) {
        panic!("this machine forbids new pid namespaces, so {way} could not be tested");
    }
    outcome
        .assert_stdout(expected)
        .assert_code(0)
        .assert_reports("cuDeviceGetCount");
}

const CHILD: [&str; 2] = ["child killed by signal 6", "parent count 0"];

macro_rules! ways {
    ($($name:ident $way:literal)*) => {$(
        #[test]
        fn $name() {
            seen($way, &CHILD);
        }
    )*};
}

ways! {
    by_fork "fork"
    by_bare_fork "_Fork"
    by_another_thread "thread"
    after_another_thread_initialised "init-thread"
    by_clone "clone"
    by_clone3 "clone3"
    into_a_pid_namespace "pidns"
}

#[test]
fn by_daemon() {
    seen("daemon", &["caller exited 0", "child killed by signal 6"]);
}

#[test]
fn by_fork_of_a_fork() {
    seen(
        "grandchild",
        &[
            "grandchild killed by signal 6",
            "child exited 0",
            "parent count 0",
        ],
    );
}

#[test]
fn with_the_pid_of_the_process_that_initialised() {
    seen("same-pid", &["child killed by signal 6", "outer exited 0"]);
}

/// The child's standard error is its terminal, which the parent passes on to standard output.
#[test]
fn by_forkpty() {
    let outcome = Program::client("forks").args(["forkpty", "use"]).run();
    outcome.assert_code(0);
    for part in [
        "forkguard: CUDA used in a forked process",
        "3 used here",
        "child killed by signal 6",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part:?} is missing\n{}",
            outcome.story()
        );
    }
}
