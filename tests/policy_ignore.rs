//! A function named in `FORKGUARD_IGNORE` is forwarded like a probe; others are still judged. Fails when the list is
//! not read, or switches off more than it names.

use forkguard_testkit::Program;

#[test]
fn only_what_is_named() {
    let program = Program::client("roads")
        .args(["dlsym", "child-fallback"])
        .env("FORKGUARD_IGNORE", "cuMemGetInfo,cuDeviceGetCount");
    let outcome = program.run();
    outcome.assert_stdout(&[
        "child count 3",
        "child count 3",
        "child count 3",
        "child killed by signal 6",
        "parent count 0",
    ]);
    outcome.assert_reports("cuInit");
}
