//! Settings that cannot be read or are too large: one line says so, the default stands, the program goes on. Fails
//! when a configuration file that is not there disarms the guard in silence, or a huge environment makes it fall.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program};

fn wrong_program() -> Program {
    Program::client("roads").args(["dlsym", "child-use"])
}

fn default_stands(outcome: &Outcome) {
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
}

/// How many of the lines on standard error name this.
fn lines_with(outcome: &Outcome, text: &str) -> usize {
    outcome
        .stderr
        .lines()
        .filter(|line| line.contains(text))
        .count()
}

#[test]
fn a_configuration_that_is_not_there() {
    let outcome = wrong_program()
        .env("FORKGUARD_CONFIG", "/nowhere/forkguard.conf")
        .run();
    default_stands(&outcome);
    assert_eq!(
        lines_with(&outcome, "/nowhere/forkguard.conf"),
        1,
        "{}",
        outcome.story()
    );
}

#[test]
fn a_configuration_that_is_a_folder() {
    let folder = tempdir().expect("a folder");
    let outcome = wrong_program().env("FORKGUARD_CONFIG", folder.path()).run();
    default_stands(&outcome);
    let path = folder.path().to_str().expect("text");
    assert_eq!(lines_with(&outcome, path), 1, "{}", outcome.story());
}

#[test]
fn huge_values() {
    // Nearly the 128 KiB that one string of an environment may have.
    let huge = "x".repeat(128 * 1024 - 100);
    for variable in [
        "FORKGUARD_POLICY",
        "FORKGUARD_VERBOSE",
        "FORKGUARD_IGNORE",
        "FORKGUARD_REPORT",
    ] {
        let outcome = wrong_program().env(variable, &huge).run();
        default_stands(&outcome);
        assert!(
            outcome.stderr.contains(variable),
            "{}",
            &outcome.stderr[..2000]
        );
        assert!(
            outcome.stderr.len() < 16 * 1024,
            "the whole value was repeated"
        );
    }
}

#[test]
fn a_huge_command_and_environment() {
    let huge = "y".repeat(100 * 1024);
    let mut program = Program::at("/bin/sh")
        .args(["-c", "exec \"$0\" dlsym child-use"])
        .arg(forkguard_testkit::client("roads"));
    for i in 0..8 {
        program = program.arg(&huge).env(&format!("HUGE_{i}"), &huge);
    }
    default_stands(&program.with_events().run());
}

#[test]
fn a_huge_name_of_the_program() {
    // argv[0] goes into the event, which stays one line of JSON.
    let huge = "\u{1}\"\\z".repeat(20 * 1024);
    let outcome = Program::at("/bin/bash")
        .args(["-c", "exec -a \"$1\" \"$0\" dlsym child-use"])
        .arg(forkguard_testkit::client("roads"))
        .arg(&huge)
        .with_events()
        .run();
    default_stands(&outcome);
    let violations = outcome
        .events()
        .into_iter()
        .filter(|event| event["event"] == "violation");
    assert_eq!(violations.count(), 1, "{}", outcome.stderr);
}
