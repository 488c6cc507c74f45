//! A sandbox in which it cannot be asked whether a file is closed by executing, or cannot be said (`F_GETFD`, `F_SETFD`):
//! what is executed in a forked process's place has all the files that the fork has. Fails when it lacks one, or when a
//! process in whose place nothing could be executed has its files otherwise than before.

use forkguard_testkit::{Faults, Outcome, Program, Whose};

fn judge(program: &Program, is_right: impl Fn(&Outcome) -> bool) {
    // By the numbers of `F_GETFD` and `F_SETFD`.
    for calls in ["fcntl=1", "fcntl=2"] {
        let faults = Faults::of(program.clone(), Whose::Guard, calls, &["EPERM"]);
        faults.judge(|outcome, _| {
            let right = outcome.code() == Some(0) && is_right(outcome);
            right.then_some(()).ok_or("a file was lost".to_owned())
        });
    }
}

#[test]
fn of_a_command() {
    let program = Program::client("in_place")
        .arg("once")
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "sh -c 'echo a word >&9'");
    judge(&program, |outcome| {
        let says = |line: &str| outcome.stdout.contains(line);
        says("through the pipe: a word\nchild exited 0\n")
            || says("count 3\nclosed on exec 1\n") && says("child exited 3\n")
    });
}

#[test]
fn of_an_entry() {
    let program = Program::client("entries").arg("keeps").policy("exec,warn");
    judge(&program, |outcome| {
        let fresh = "has no 7\nhas 8\nworker exited 0\n";
        let forked = "forked: count 3\nworker exited 3\n";
        outcome.stdout == fresh || outcome.stdout == forked
    });
}
