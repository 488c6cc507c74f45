//! The first call of a driver function in a process goes through the gate's trap where the gate has something to do
//! there (under `FORKGUARD_VERBOSE=2` each does), and is a call like any other, with the trap or without: all argument
//! registers, the stack, errno, backtrace(3), many threads at once, a first call within a first call. The cases are
//! in tests/clients/calls.c. Fails when the trap loses a register, has no unwind information, or locks (HAMi-core#52:
//! the first CUDA call hung).

use forkguard_testkit::Program;

fn calls(case: &str) {
    let right = format!("{case} right");
    Program::client("calls")
        .arg(case)
        .run()
        .assert_silent()
        .assert_stdout(&[&right]);
    let trapped = Program::client("calls")
        .arg(case)
        .env("FORKGUARD_VERBOSE", "2")
        .run();
    trapped.assert_stdout(&[&right]);
    assert!(
        trapped.stderr.contains(" uses cu"),
        "the gate was not there: {}",
        trapped.story()
    );
}

macro_rules! cases {
    ($($name:ident $case:literal)*) => {$(
        #[test]
        fn $name() {
            calls($case);
        }
    )*};
}

cases! {
    floating_point_arguments "floats"
    eleven_arguments "eleven"
    a_backtrace_from_within "backtrace"
    sixteen_threads_at_once "threads"
    errno_is_kept "errno"
    a_first_call_within_another "recursive"
}
