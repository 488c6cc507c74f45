//! `forkguard run`: the exit code is the program's, or says why it did not start.
//!
//! Would fail if the command changed how the program ends, or ended in another way where there is no
//! program.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::programs::{folder, forkguard, put};

#[test]
fn the_exit_code_is_the_programs() {
    forkguard("run")
        .args(["--", "sh", "-c", "exit 7"])
        .assert()
        .code(7);
}

/// It is no program that anybody has.
#[test]
fn a_mistyped_option_is_2() {
    forkguard("run")
        .args(["--polcy", "exec", "--", "true"])
        .assert()
        .code(2)
        .stderr_eq(
            "forkguard: --polcy is no option here, and no program; --help lists the options\n",
        );
}

#[test]
fn a_program_that_is_not_there_is_127() {
    forkguard("run")
        .args(["--", "no-such-program"])
        .assert()
        .code(127)
        .stderr_eq("forkguard: no-such-program cannot be started: no such file or directory\n");
}

#[test]
fn what_is_no_program_is_126_and_said() {
    let folder = folder();
    let script = put(folder.path(), "script", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("it is ours");
    for (path, why) in [
        (&*script, "it is not marked as executable (chmod +x)"),
        (folder.path(), "it is a folder"),
    ] {
        let said = format!("forkguard: {} cannot be started: {why}\n", path.display());
        let command = forkguard("run").arg("--").arg(path);
        command.assert().code(126).stderr_eq(said);
    }
}

/// `forkguard run "$PROGRAM"`, and there is no such variable.
#[test]
fn an_empty_word_is_no_program() {
    let said = "forkguard: no program can be started: its name is an empty word; is it a variable \
                that is not set?\n";
    let command = forkguard("run").args(["--", ""]);
    command.assert().code(127).stderr_eq(said);
}
