//! `forkguard run`: the exit code is the program's, or says why it did not start.
//!
//! Would fail if the command changed how the program ends, or ended in another way where there is no
//! program.

use crate::programs::forkguard;

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
