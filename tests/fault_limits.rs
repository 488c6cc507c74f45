//! At the limits that a process can be given (descriptors, stack, memory, sizes of files, locked memory, core files),
//! without randomised addresses, and on a file system that is read-only, a violation is told in full and a right program
//! is left alone. Fails when the guard needs what is not there, or when a signal of a limit's reaches the program.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program, client, with_own_mounts};

fn limited(limit: &str, scenario: &str) -> Outcome {
    Program::at("/bin/bash")
        .args(["-c", &format!("{limit}; exec \"$0\" dlsym {scenario}")])
        .arg(client("roads"))
        .run()
}

fn told(outcome: &Outcome) {
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
}

/// As little as the loader itself lets the program begin with, and a little more.
#[test]
fn of_a_process() {
    for limit in [
        "ulimit -n 4",
        "ulimit -n 5",
        "ulimit -n 8",
        "ulimit -s 64",
        "ulimit -v 16000",
        "ulimit -d 4096",
        "ulimit -l 0",
        "ulimit -c 0",
        "ulimit -i 0",
        "ulimit -f 0",
    ] {
        told(&limited(limit, "child-use"));
        limited(limit, "use").assert_silent();
    }
}

/// Standard error is a file that may not grow: nothing can be told, and nobody dies of it.
#[test]
fn of_the_size_of_standard_error() {
    let folder = tempdir().expect("a folder for it");
    let file = folder.path().join("stderr");
    let limit = format!("exec 2>'{}'; ulimit -f 0", file.display());
    let outcome = limited(&limit, "child-use");
    outcome.assert_silent();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
}

#[test]
fn without_randomised_addresses() {
    let program = Program::at("setarch").arg("-R").arg(client("roads"));
    told(&program.args(["dlsym", "child-use"]).run());
}

#[test]
fn on_a_file_system_that_is_read_only() {
    const SCRIPT: &str = "mount -o remount,bind,ro / && ! touch /forkguard-test 2>/dev/null && exec \"$0\" dlsym child-use";
    let program = with_own_mounts(SCRIPT).arg(client("roads"));
    let outcome = program.env("FORKGUARD_REPORT", "/forkguard-test").run();
    told(&outcome);
    outcome.assert_says("it is on a read-only file system");
}
