//! What drivers do of their own accord is not the program's doing: cuInit forks a helper (libfabric#6272), starts
//! threads, looks its own names up (HAMi-core#326, the driver of WSL; the stand-in aborts when it is given anything
//! but its own address). Fails when the guard takes the helper for the program's fork, or answers the driver's own
//! lookup with a stub.

use forkguard_testkit::Program;

fn same(habit: &str) {
    let program = Program::client("roads")
        .args(["dlsym", "use"])
        .env(habit, "1");
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn a_helper_process() {
    same("FAKE_CUDA_MODPROBE");
}

#[test]
fn a_thread() {
    same("FAKE_CUDA_THREADS");
}

#[test]
fn a_lookup_of_its_own_name() {
    same("FAKE_CUDA_SELF_LOOKUP");
}

/// The fork in the report is the program's, not the one that cuInit made.
#[test]
fn the_helper_is_not_in_the_report() {
    let program = Program::client("roads")
        .args(["dlsym", "child-use"])
        .env("FAKE_CUDA_MODPROBE", "1");
    program.run().assert_reports("cuDeviceGetCount");
}
