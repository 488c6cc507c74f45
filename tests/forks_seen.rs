//! A child that uses CUDA is seen however it was made: by any function of the fork family, by any thread, by the
//! raw system call, in a pid namespace where it has the pid of the process that initialised. Fails when a way to
//! fork leaves the gate's table filled, or the lineage unknown.

use forkguard_testkit::Program;

/// Whether the guard stands in the way of this kind of fork, or only finds out at the use.
#[derive(Clone, Copy, PartialEq)]
enum Fork {
    Recorded,
    Raw,
}

fn seen(way: &str, fork: Fork, expected: &[&str]) {
    seen_in(
        &Program::client("forks").args([way, "use"]),
        way,
        fork,
        expected,
    );
}

fn seen_in(program: &Program, way: &str, fork: Fork, expected: &[&str]) {
    let outcome = program.run();
    assert_ne!(
        outcome.code(),
        Some(77),
        "this machine forbids new pid namespaces: {way} is untested"
    );
    outcome
        .assert_stdout(expected)
        .assert_code(0)
        .assert_reports("cuDeviceGetCount");
    let recorded = outcome.report().contains("  2 forked");
    assert_eq!(recorded, fork == Fork::Recorded, "{}", outcome.story());
}

macro_rules! ways {
    ($($name:ident $way:literal $fork:ident)*) => {$(
        #[test]
        fn $name() {
            seen($way, Fork::$fork, &["child killed by signal 6", "parent count 0"]);
        }
    )*};
}

ways! {
    by_fork "fork" Recorded
    by_bare_fork "_Fork" Recorded
    by_another_thread "thread" Recorded
    after_another_thread_initialised "init-thread" Recorded
    by_clone "clone" Raw
    by_clone3 "clone3" Raw
}

#[test]
fn by_daemon() {
    seen(
        "daemon",
        Fork::Recorded,
        &["caller exited 0", "child killed by signal 6"],
    );
}

/// Where the C library cannot make it whole, there is a child all the same.
#[test]
fn by_half_a_daemon() {
    let way = "half-daemon";
    let program = Program::client("forks")
        .args([way, "use"])
        .with_devices("umount /dev/null");
    let expected = ["caller exited 0", "child killed by signal 6"];
    seen_in(&program, way, Fork::Recorded, &expected);
}

#[test]
fn by_fork_of_a_fork() {
    let died = [
        "grandchild killed by signal 6",
        "child exited 0",
        "parent count 0",
    ];
    seen("grandchild", Fork::Recorded, &died);
}

/// Process 1 of a namespace is not killed by a signal that it sends itself: abort(3) then ends it by a fault, an
/// instruction that the architecture chooses.
#[cfg(target_arch = "x86_64")]
const ABORTED_AS_FIRST: &str = "child killed by signal 11";
#[cfg(target_arch = "aarch64")]
const ABORTED_AS_FIRST: &str = "child killed by signal 5";

#[test]
fn into_a_pid_namespace() {
    seen("pidns", Fork::Raw, &[ABORTED_AS_FIRST, "parent count 0"]);
}

#[test]
fn with_the_pid_of_the_process_that_initialised() {
    seen("same-pid", Fork::Raw, &[ABORTED_AS_FIRST, "outer exited 0"]);
}

/// The child's standard error is its terminal, which the parent passes on to standard output.
#[test]
fn by_forkpty() {
    let outcome = Program::client("forks").args(["forkpty", "use"]).run();
    outcome.assert_code(0);
    for part in [
        "forkguard: CUDA used in a forked process",
        "used here",
        "child killed by signal 6",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part:?} is missing\n{}",
            outcome.story()
        );
    }
}
