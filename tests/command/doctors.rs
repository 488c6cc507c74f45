//! What the tests of `doctor` have in common: the command, and its findings as they are read.

use std::path::Path;

use forkguard_testkit::{Outcome, Program, library, stand_in};
use serde_json::Value;
use snapbox::cmd::cargo_bin;

/// `forkguard doctor` with the library under test and the tests' driver.
pub fn doctor() -> Program {
    doctor_of(&library())
}

/// The same with another library.
pub fn doctor_of(library: &Path) -> Program {
    stand_in();
    Program::at(cargo_bin!("forkguard"))
        .bare()
        .args(["doctor", "--json", "--library"])
        .arg(library)
}

/// The same in a shell's script that may mount what it likes; `$doctor` is the command.
pub fn doctor_after(script: &str) -> Program {
    stand_in();
    let doctor = format!(
        "doctor='{} doctor --json --library {}'\n",
        cargo_bin!("forkguard").display(),
        library().display()
    );
    forkguard_testkit::with_own_mounts(&format!("{doctor}{script}")).bare()
}

/// The findings about one subject, as `level: what was found → what to do`.
#[track_caller]
pub fn about(outcome: &Outcome, subject: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.story()));
    let findings = told["findings"].as_array().expect("findings");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .filter(|finding| finding["subject"] == subject)
        .map(|finding| {
            let advice = text(&finding["advice"]);
            let arrow = if advice.is_empty() { "" } else { " → " };
            format!(
                "{}: {}{arrow}{advice}",
                text(&finding["level"]),
                text(&finding["found"])
            )
        })
        .collect()
}

/// Fails unless one finding about the subject has this level and this text.
#[track_caller]
pub fn assert_found(outcome: &Outcome, subject: &str, level: &str, text: &str) {
    let found = about(outcome, subject);
    assert!(
        found
            .iter()
            .any(|line| line.starts_with(&format!("{level}: ")) && line.contains(text)),
        "no {level} about {subject} says {text:?}: {found:#?}\n{}",
        outcome.story()
    );
    let code = i32::from(outcome.stdout.contains("\"level\": \"problem\""));
    outcome.assert_code(code);
}

/// A copy of the library elsewhere.
pub fn copy_of_library(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("libforkguard.so");
    std::fs::copy(library(), &path).expect("the folder can be written to");
    path
}
