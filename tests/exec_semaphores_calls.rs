//! A semaphore costs the same system calls whether it is the first or the last of many. Fails when something is asked of
//! the kernel for each memfd that there is: with the most there can be, two million times.

use forkguard_testkit::tempfile::NamedTempFile;
use forkguard_testkit::{Program, client};
use std::fs;

/// How often 201 semaphores' maker asks who it is, its one child counted in. The client itself does so for each.
fn questions(program: Program) -> usize {
    let log = NamedTempFile::new().expect("a file for strace's words");
    let outcome = program
        .args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=getpid", "-o"])
        .arg(log.path())
        .arg(client("semaphores"))
        .arg("anonymous")
        .policy("exec")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["child exited 0", "right: 200", "again: 3"]);
    let calls = fs::read_to_string(log.path()).expect("strace's words");
    calls.matches("getpid()").count()
}

#[test]
fn one_question_for_each() {
    let bare = questions(Program::at("strace").bare());
    let guarded = questions(Program::at("strace"));
    assert!(bare >= 200, "strace saw {bare}");
    // At load and at the end there may be some more.
    assert!(guarded <= 2 * bare + 30, "{guarded}, and {bare} without");
}
