//! A child that uses no CUDA is nobody's business, however it was made. Fails when the guard speaks at the fork,
//! harms the child or changes its exit status.

use forkguard_testkit::Program;

#[test]
fn every_way_to_fork() {
    for way in [
        "fork",
        "_Fork",
        "forkpty",
        "daemon",
        "thread",
        "init-thread",
        "clone",
        "clone3",
        "pidns",
        "same-pid",
        "grandchild",
        "vfork",
        "spawn",
        "system",
    ] {
        let program = Program::client("forks").args([way, "clean"]);
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
}
