//! The ground the other tests stand on: without the guard the stand-in driver refuses in a forked child exactly
//! what the real one was measured to refuse, by every way to fork. Fails when the stand-in is not what it stands
//! in for.

use forkguard_testkit::Program;

#[test]
fn answers_in_a_child() {
    let run = |scenario: &str| {
        Program::client("roads")
            .args(["dlsym", scenario])
            .bare()
            .run()
    };
    run("child-fallback").assert_silent().assert_stdout(&[
        "child count 3",
        "child count 3",
        "child count 3",
        "child init 3",
        "child exited 3",
        "parent count 0",
    ]);
    run("child-harmless").assert_silent().assert_stdout(&[
        "child version 0 13000",
        "child error 0 CUDA_ERROR_NOT_INITIALIZED",
        "child text 0 initialization error",
        "child pointer 3",
        "child exited 7",
        "parent count 0",
    ]);
    run("child-teardown").assert_silent().assert_stdout(&[
        "child destroyed 3 3 3 3 3",
        "child exited 7",
        "parent count 0",
    ]);
    run("late").assert_silent();
    run("failed-init").assert_silent();
}

#[test]
fn every_way_to_fork() {
    for way in [
        "fork",
        "_Fork",
        "thread",
        "init-thread",
        "clone",
        "clone3",
        "pidns",
        "forkpty",
    ] {
        let outcome = Program::client("forks").args([way, "use"]).bare().run();
        outcome.assert_code(0);
        assert!(
            outcome.stdout.contains("child exited 3"),
            "{way}\n{}",
            outcome.story()
        );
        assert!(
            outcome.stdout.contains("parent count 0"),
            "{way}\n{}",
            outcome.story()
        );
    }
    let same_pid = Program::client("forks")
        .args(["same-pid", "use"])
        .bare()
        .run();
    same_pid
        .assert_silent()
        .assert_stdout(&["child count 3", "child exited 3", "outer exited 0"]);
}
