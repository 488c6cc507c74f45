//! The first call of a driver function goes through the gate's trap, and is a call like any other: all argument
//! registers, the stack, errno, backtrace(3), many threads at once, a first call within a first call. The cases are
//! in tests/clients/calls.c. Fails when the trap loses a register, has no unwind information, or locks (HAMi-core#52:
//! the first CUDA call hung).

use forkguard_testkit::Program;

macro_rules! cases {
    ($($name:ident $case:literal)*) => {$(
        #[test]
        fn $name() {
            Program::client("calls").arg($case).run().assert_silent().assert_stdout(&[concat!($case, " right")]);
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
