//! The configuration file: its values stand where the environment says nothing, the environment wins over them, and
//! a line that begins with `!` cannot be overridden. Fails when the order of the three is another.

use forkguard_testkit::Program;
use forkguard_testkit::tempfile::NamedTempFile;
use std::fs;

fn child_of(config: &str, policy: Option<&str>) -> String {
    let file = NamedTempFile::new().expect("a file for the configuration");
    fs::write(file.path(), config).expect("the file can be written");
    let program = Program::client("roads").args(["dlsym", "child-use"]);
    let program = program.env("FORKGUARD_CONFIG", file.path());
    let outcome = policy.into_iter().fold(program, Program::policy).run();
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    let ended = outcome
        .stdout
        .lines()
        .find(|line| line.starts_with("child exited") || line.starts_with("child killed"));
    ended
        .unwrap_or_else(|| panic!("{}", outcome.story()))
        .to_owned()
}

#[test]
fn stands_where_the_environment_is_silent() {
    assert_eq!(
        child_of("# ours\nFORKGUARD_POLICY=warn\n", None),
        "child exited 3"
    );
}

#[test]
fn gives_way_to_the_environment() {
    assert_eq!(
        child_of("FORKGUARD_POLICY=warn\n", Some("abort")),
        "child killed by signal 6"
    );
}

#[test]
fn an_exclamation_mark_is_the_last_word() {
    assert_eq!(
        child_of("!FORKGUARD_POLICY=warn\n", Some("abort")),
        "child exited 3"
    );
}
