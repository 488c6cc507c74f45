//! `forkguard doctor -- CMD`: what would become of a program, of which nothing is run but its
//! loader.
//!
//! Would fail if the program were run, or if it were promised a guard that it would not get.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use forkguard_testkit::client;

use crate::doctors::{assert_found, doctor};
use crate::programs::{dynamic, folder, of_musl, of_static, put};

#[test]
fn a_program_that_gets_the_guard_and_is_not_run() {
    let folder = folder();
    let made = folder.path().join("made");
    let script = put(
        folder.path(),
        "script",
        format!("#!/bin/sh\ntouch {}\n", made.display()),
    );
    let outcome = doctor().arg("--").arg(&script).run();
    assert_found(
        &outcome,
        "program",
        "ok",
        "/script: the loader takes the guard in",
    );
    assert_found(&outcome, "loader", "ok", "loads the guard");
    assert!(!made.exists(), "the program was run");
}

#[test]
fn a_file_that_may_not_be_executed() {
    let folder = folder();
    let script = put(folder.path(), "script", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("it is ours");
    for (path, why) in [
        (&*script, "cannot be run: it is not marked as executable"),
        (folder.path(), "cannot be run: it is a folder"),
        ("".as_ref(), "its name is an empty word"),
    ] {
        let outcome = doctor().arg("--").arg(path).run();
        outcome.assert_code(1);
        assert_found(&outcome, "program", "problem", why);
    }
}

#[test]
fn linked_with_the_driver() {
    let outcome = doctor().arg("--").arg(client("linked")).run();
    assert_found(
        &outcome,
        "loader",
        "ok",
        "libcuda.so.1, with which the program is linked",
    );
}

#[test]
fn programs_that_do_not_get_it() {
    let folder = folder();
    let of_static = of_static(folder.path());
    let of_musl = of_musl(folder.path());
    let dynamic = dynamic(folder.path());
    let script = put(folder.path(), "script", "#!/no/such/shell\n");
    for (words, why) in [
        (
            vec![script.as_os_str()],
            "script cannot be run: its interpreter /no/such/shell is not there",
        ),
        (vec![of_static.as_os_str()], "is statically linked"),
        (
            vec![of_musl.as_os_str()],
            "its interpreter /ld-musl-x.so.1 is not there",
        ),
        (
            vec!["env".as_ref(), "-i".as_ref(), dynamic.as_os_str()],
            "by way of env -i",
        ),
        (vec!["no-such-program".as_ref()], "no such file"),
    ] {
        let outcome = doctor().arg("--").args(words).run();
        assert_found(&outcome, "program", "problem", why);
    }
}

/// An interpreter that says what it is told to.
fn saying(folder: &std::path::Path, answer: &str) -> std::path::PathBuf {
    put(folder, "python3", format!("#!/bin/sh\necho '{answer}'\n"))
}

#[test]
fn interpreters_by_what_they_say() {
    let folder = folder();
    let answer = |implementation: &str, minor: u32, cloudpickle: &str| {
        format!(
            "{{\"implementation\":\"{implementation}\",\"version\":[3,{minor},1],\
             \"free_threaded\":false,\"cloudpickle\":{cloudpickle}}}"
        )
    };
    for (said, policy, level, text) in [
        (
            answer("CPython", 11, "\"cloudpickle\""),
            "exec",
            "ok",
            "exec carries functions by cloudpickle",
        ),
        (
            answer("CPython", 11, "\"ray\""),
            "exec",
            "ok",
            "by ray's cloudpickle",
        ),
        (
            answer("CPython", 11, "null"),
            "exec",
            "warning",
            "without cloudpickle",
        ),
        (
            answer("CPython", 11, "null"),
            "abort",
            "ok",
            "is not installed",
        ),
        (
            answer("CPython", 7, "null"),
            "abort",
            "warning",
            "no Python stacks",
        ),
        (
            answer("PyPy", 10, "null"),
            "abort",
            "warning",
            "no Python stacks",
        ),
        (
            "rubbish".to_owned(),
            "abort",
            "warning",
            "does not tell its version",
        ),
    ] {
        saying(folder.path(), &said);
        let path = std::env::var("PATH").unwrap();
        let outcome = doctor()
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("FORKGUARD_POLICY", policy)
            .run();
        assert_found(&outcome, "python", level, text);
    }
}

#[test]
fn the_interpreter_that_is_here() {
    let python = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let outcome = doctor().arg("--").arg(python.trim()).arg("app.py").run();
    assert_found(&outcome, "python", "ok", ": CPython 3.");
}
