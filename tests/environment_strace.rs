//! Under `strace -f` everything goes on as usual; and what strace sees is that the guard opens no file for writing,
//! neither in a right program nor when it reports. Fails when the guard needs a writable /tmp, or leaves files behind.

use forkguard_testkit::tempfile::NamedTempFile;
use forkguard_testkit::{Outcome, Program, client};
use std::fs;

/// The run, and the calls that opened something for writing.
fn traced(program: Program, scenario: &str) -> (Outcome, Vec<String>) {
    let log = NamedTempFile::new().expect("a file for strace's words");
    let outcome = program
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=open,openat,creat,mkdir,mknod",
            "-o",
        ])
        .arg(log.path())
        .arg(client("roads"))
        .args(["dlsym", scenario])
        .run();
    let calls = fs::read_to_string(log.path()).expect("strace's words");
    assert!(
        calls.contains("libcuda.so.1"),
        "strace saw nothing\n{calls}\n{}",
        outcome.story()
    );
    let signs = [
        "O_WRONLY", "O_RDWR", "O_CREAT", "creat(", "mkdir(", "mknod(",
    ];
    let written = calls.lines().filter(|call| {
        // Its own standard error, opened anew so that a sleeping reader cannot hold it up, is no file.
        signs.iter().any(|sign| call.contains(sign)) && !call.contains("\"/proc/self/fd/2\"")
    });
    let written = written.map(str::to_owned).collect();
    (outcome, written)
}

#[test]
fn a_right_program() {
    let (bare, _) = traced(Program::at("strace").bare(), "use");
    // strace itself is preloaded as well: that is how it is used.
    let (guarded, written) = traced(Program::at("strace"), "use");
    guarded.assert_silent();
    assert_eq!(guarded.stdout, bare.stdout);
    assert!(written.is_empty(), "{written:#?}");
}

#[test]
fn a_wrong_program() {
    let (outcome, written) = traced(Program::at("strace"), "child-use");
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
    assert!(written.is_empty(), "{written:#?}");
}
