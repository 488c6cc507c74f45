//! What the tests of `trace` and `check` have in common: the command, the programs it runs.

use std::path::PathBuf;

use forkguard_testkit::{Program, library, script};
use snapbox::cmd::cargo_bin;

/// The folder of the Python programs, which is where they are run.
pub fn folder() -> PathBuf {
    let app = script("traced/app.py");
    app.parent().expect("a file lies in a folder").to_owned()
}

/// `forkguard SUBCOMMAND`, up to its options.
pub fn forkguard(subcommand: &str) -> Program {
    Program::at("env")
        .bare()
        .arg("-C")
        .arg(folder())
        .arg(cargo_bin!("forkguard"))
        .arg(subcommand)
        .arg("--library")
        .arg(library())
}

/// A Python program of the folder and its arguments, behind `--`.
pub fn of_python(command: Program, arguments: &[&str]) -> Program {
    let interpreter = forkguard_testkit::interpreter();
    command.arg("--").arg(interpreter).arg("-B").args(arguments)
}
