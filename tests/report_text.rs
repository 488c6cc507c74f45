//! `FORKGUARD_REPORT=text:FILE` puts the report into a file as standard error has it, once for a cause, however many
//! workers died of it: it is for a place of which only the end is read, such as a container's termination message. Fails
//! when anything else is in the file, or the report is not on standard error as well.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program};
use std::fs;

fn written(program: Program) -> (Outcome, String) {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("message");
    let target = format!("text:{}", file.display());
    let outcome = program.env("FORKGUARD_REPORT", target).run();
    let written = fs::read_to_string(&file).unwrap_or_default();
    (outcome, written)
}

#[test]
fn as_on_standard_error() {
    let (outcome, written) = written(Program::client("roads").args(["dlsym", "child-use"]));
    outcome.assert_reports("cuDeviceGetCount");
    assert_eq!(written, outcome.stderr, "{}", outcome.story());
}

#[test]
fn once_for_all_workers() {
    let (outcome, written) = written(Program::client("roads").args(["dlsym", "workers"]));
    outcome.assert_reports("cuDeviceGetCount");
    assert_eq!(written.matches("forkguard: ").count(), 1, "{written}");
    assert!(written.contains("3 used here"), "{written}");
}

#[test]
fn nothing_where_nothing_is_wrong() {
    let (outcome, written) = written(Program::client("roads").args(["dlsym", "use"]));
    outcome.assert_silent();
    assert_eq!(written, "");
}
