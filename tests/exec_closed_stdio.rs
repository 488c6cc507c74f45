//! A program that was started with descriptors 0, 1 and 2 closed gives these numbers to files of its own, and its
//! workers have them as forked ones would. Fails when a worker lacks such a file, is taken for dead because a pipe of
//! `multiprocessing` has such a number, or when what it prints goes into one of them.

use forkguard_testkit::{Program, python_with_packages, tempfile};
use std::fs;

fn result(arguments: &[&str], prepared: impl Fn(Program) -> Program) -> String {
    let folder = tempfile::tempdir().expect("a folder for the program's files");
    let program = python_with_packages("exec_closed_stdio.py").arg(folder.path());
    let outcome = prepared(program.args(arguments)).run();
    outcome.assert_code(0);
    fs::read_to_string(folder.path().join("result"))
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.story()))
}

fn as_forked(template: &str) {
    let forked = result(&[], Program::bare);
    let fresh = result(&[], |program| {
        let program = program.policy("exec,abort");
        program.env("FORKGUARD_TEMPLATE", template)
    });
    assert_eq!(forked.matches("init 3").count(), 2, "{forked}");
    assert_eq!(fresh, forked.replace("init 3", "init 0"));
}

#[test]
fn executed() {
    as_forked("0");
}

#[test]
fn of_a_template() {
    as_forked("1");
}

/// An interpreter that finds a folder there says so and ends.
#[test]
fn a_folder_with_number_0() {
    let forked = result(&["folder"], Program::bare);
    let fresh = result(&["folder"], |program| {
        let program = program.policy("exec,warn");
        program.env("FORKGUARD_TEMPLATE", "0")
    });
    assert_eq!(fresh, forked);
}
