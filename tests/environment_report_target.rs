//! Where an event cannot be written, the text still comes, one line says why and what to do, and the policy acts: a full
//! disk, a symbolic link, a folder, a descriptor that is not open, a pipe that nobody reads. Fails when the report is
//! lost, when a link is followed, or when the guard waits for ever.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program, client};
use std::fs;
use std::os::unix::fs::symlink;

fn fails_to(target: &str, why: &str) -> Outcome {
    let program = Program::client("roads").args(["dlsym", "child-use"]);
    told(program.env("FORKGUARD_REPORT", target).run(), why)
}

fn told(outcome: Outcome, why: &str) -> Outcome {
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_says(why).assert_says("set FORKGUARD_REPORT");
    outcome
}

#[test]
fn a_full_disk() {
    fails_to("/dev/full", "the disk is full");
}

#[test]
fn a_folder() {
    let folder = tempdir().expect("a folder");
    fails_to(folder.path().to_str().expect("text"), "it is a folder");
}

#[test]
fn a_folder_that_is_not_there() {
    fails_to("/nowhere/at/all/events", "there is no such folder");
}

#[test]
fn a_file_for_the_text_that_cannot_be_made() {
    fails_to(
        "text:/nowhere/at/all/report",
        "forkguard: the report's text could not be written to /nowhere/at/all/report: there is no such folder",
    );
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = tempdir().expect("a folder");
    let (link, aim) = (folder.path().join("link"), folder.path().join("aim"));
    fs::write(&aim, "precious").expect("a file");
    symlink(&aim, &link).expect("a link");
    fails_to(link.to_str().expect("text"), "symbolic link");
    assert_eq!(fs::read_to_string(&aim).expect("still there"), "precious");
}

#[test]
fn a_descriptor_that_is_not_open() {
    fails_to("fd:99", "file descriptor 99: it is not open");
}

#[test]
fn a_pipe_that_nobody_reads() {
    const FULL_PIPE: &str = r#"
import fcntl, os, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
os.set_inheritable(reader, True)
os.dup2(writer, 9)
os.set_inheritable(9, True)
os.execv(sys.argv[1], sys.argv[1:])
"#;
    let outcome = Program::at(forkguard_testkit::interpreter())
        .args(["-c", FULL_PIPE])
        .arg(client("roads"))
        .args(["dlsym", "child-use"])
        .env("FORKGUARD_REPORT", "fd:9")
        .run();
    told(outcome, "file descriptor 9: it is full");
}

#[test]
fn a_descriptor_that_is_open() {
    // The counterpart: fd:N does work.
    let folder = tempdir().expect("a folder");
    let events = folder.path().join("events");
    let outcome = Program::at("/bin/sh")
        .args(["-c", "exec \"$0\" dlsym child-use 9>>\"$1\""])
        .arg(client("roads"))
        .arg(&events)
        .env("FORKGUARD_REPORT", "fd:9")
        .run();
    outcome.assert_reports("cuDeviceGetCount");
    let events = fs::read_to_string(&events).expect("the shell made it");
    assert_eq!(
        events.matches("\"event\":\"violation\"").count(),
        1,
        "{events}"
    );
}
