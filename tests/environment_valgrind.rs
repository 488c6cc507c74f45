//! Under valgrind's memcheck a right program runs without an error, and a wrong one is reported. Fails when the guard
//! reads what nobody wrote, runs past a buffer, or makes a system call that valgrind does not know.

use forkguard_testkit::tempfile::NamedTempFile;
use forkguard_testkit::{Outcome, Program, client};
use std::fs;
use std::time::Duration;

/// The run, and what valgrind said about it.
fn under_memcheck(scenario: &str) -> (Outcome, String) {
    let log = NamedTempFile::new().expect("a file for valgrind's words");
    let outcome = Program::at("valgrind")
        .args(["--error-exitcode=9", "--leak-check=no"])
        .arg(format!("--log-file={}", log.path().display()))
        .arg(client("roads"))
        .args(["dlsym", scenario])
        .patience(Duration::from_secs(300))
        .run();
    let said = fs::read_to_string(log.path()).expect("valgrind's words");
    (outcome, said)
}

#[test]
fn a_right_program() {
    let (outcome, said) = under_memcheck("use");
    outcome
        .assert_silent()
        .assert_stdout(&["parent destroyed 0 0 0 0 0", "parent used the device"]);
    assert!(
        said.contains("ERROR SUMMARY: 0 errors"),
        "{said}\n{}",
        outcome.story()
    );
}

#[test]
fn a_wrong_program() {
    let (outcome, said) = under_memcheck("child-use");
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    // The child's own end by SIGABRT is told with a stack, but it is no error of memory.
    assert!(
        said.contains("ERROR SUMMARY: 0 errors") && !said.contains("Invalid "),
        "{said}\n{}",
        outcome.story()
    );
}
