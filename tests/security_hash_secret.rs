//! The secret of an interpreter's hashes, which a fresh process gets from its parent, is left for nobody to read in
//! `/proc/PID/environ`; and the variable that it comes in decides nothing about the random bytes of any other program.
//! Fails when it can be read there, when hashes differ, or when a program's random bytes come from its environment.

use forkguard_testkit::{Program, python_with_packages};

#[test]
fn nobody_reads_it() {
    let program = python_with_packages("security_hash_secret.py").policy("exec,abort");
    let outcome = program.env("FORKGUARD_TEMPLATE", "0").run();
    outcome.assert_silent().assert_stdout(&["True True [] []"]);
}

#[test]
fn it_is_an_interpreters_alone() {
    let chosen = "5a".repeat(24);
    let outcome = Program::client("random")
        .env("FORKGUARD_HASH_SECRET", &chosen)
        .run();
    outcome.assert_silent();
    assert_eq!(outcome.stdout.trim_end().len(), 48);
    assert_ne!(outcome.stdout.trim_end(), chosen, "{}", outcome.story());
}
