//! A function that the gate has nothing to do with is called straight away from the first call on, in a process that
//! may use CUDA; what the gate has to see, and whatever a forked child of a process with CUDA calls, goes to the gate,
//! also when it is looked up there again. Fails when a stub's first jump leads to the gate for nothing, which processors
//! remember (`scripts/bench`: a call then costs 1.35 ns more and not 0.27), or when a lookup opens the way past it.
#![cfg(target_arch = "x86_64")]

use forkguard_testkit::Program;

#[test]
fn what_the_gate_need_not_see_does_not_go_there() {
    Program::client("ready")
        .run()
        .assert_silent()
        .assert_stdout(&[
            "before, cuInit leads to the gate",
            "before, cuDeviceGetCount leads to the function",
            "before, cuDevicePrimaryCtxRetain leads to the gate",
            "after, cuInit leads to the gate",
            "after, cuDeviceGetCount leads to the function",
            "after, cuDevicePrimaryCtxRetain leads to the gate",
            "child, cuInit leads to the gate",
            "child, cuDeviceGetCount leads to the gate",
            "child, cuDevicePrimaryCtxRetain leads to the gate",
            "child exited 0",
        ]);
}
