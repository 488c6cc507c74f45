//! `FORKGUARD_EXEC=restart`: a forked process that uses CUDA becomes the program's own command line again, once. Fails
//! when the command line is another, when it is not known what it is, or when it never ends.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Program, client, python, with_own_mounts};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn forks() -> Program {
    Program::client("forks")
        .args(["fork", "use"])
        .env("FORKGUARD_EXEC", "restart")
}

/// The second run has CUDA and a child of its own, which stays what it is.
#[test]
fn once() {
    let outcome = forks().policy("exec,warn").run();
    outcome.assert_stdout(&[
        "child count 3",
        "child exited 3",
        "parent count 0",
        "child exited 0",
        "parent count 0",
    ]);
    outcome.assert_reports("cuDeviceGetCount");
    outcome.assert_says("FORKGUARD_RESTARTED is");
}

/// A program that shows a title in the place of its arguments is restarted with those it was started with.
#[test]
fn a_program_that_wrote_over_its_arguments() {
    let outcome = Program::client("in_place")
        .args(["title", "a  b", ""])
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    // It would give up without the word `title`, and the child's count is refused in the second run alone.
    let counts: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| line.contains("count"))
        .collect();
    assert_eq!(
        counts,
        ["count 3", "parent count 0", "parent count 0"],
        "{}",
        outcome.story()
    );
}

/// An interpreter, its options, a script with arguments; the folder and the environment are those of that moment.
#[test]
fn a_script() {
    let outcome = python("exec_restart.py")
        .args(["one", "two words", ""])
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    outcome.assert_silent();
    outcome.assert_stdout(&[
        "first ['one', 'two words', ''] in /",
        "restarted ['one', 'two words', ''] in /usr, init 0",
        "ended 7",
    ]);
}

#[test]
fn a_module() {
    let folder = forkguard_testkit::script("exec_restart.py");
    let folder = folder.parent().expect("a script lies somewhere");
    let interpreter = std::env::var("FORKGUARD_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let outcome = Program::at(interpreter)
        .args(["-B", "-m", "exec_restart", "one"])
        .env("PYTHONPATH", folder)
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    outcome.assert_silent();
    outcome.assert_stdout(&[
        "first ['one'] in /",
        "restarted ['one'] in /usr, init 0",
        "ended 7",
    ]);
}

/// A file that names its interpreter, which is one of a virtual environment: known by the name it was called by.
#[test]
fn an_executable_script_of_a_virtual_environment() {
    let folder = tempdir().expect("a folder");
    let environment = folder.path().join("environment");
    let interpreter = std::env::var("FORKGUARD_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let made = Command::new(interpreter)
        .args(["-m", "venv", "--without-pip"])
        .arg(&environment)
        .output()
        .expect("an interpreter");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let source =
        fs::read_to_string(forkguard_testkit::script("exec_restart.py")).expect("the client");
    let script = folder.path().join("script");
    let python = environment.join("bin/python");
    fs::write(&script, format!("#!{} -B\n{source}", python.display())).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = Program::at(&script)
        .arg("one")
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    outcome.assert_silent();
    outcome.assert_stdout(&[
        "first ['one'] in /",
        "restarted ['one'] in /usr, init 0",
        "ended 7",
    ]);
}

#[test]
fn more_arguments_than_a_page_holds() {
    // The kernel lets a program begin with a quarter of its stack's limit, usually 2 MiB.
    let long = "x".repeat(100_000);
    let outcome = Program::client("in_place")
        .arg("once")
        .args((0..12).map(|_| &long))
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    let said = |text: &str| outcome.stdout.lines().filter(|line| *line == text).count();
    assert_eq!(
        (said("count 3"), said("parent count 0")),
        (1, 2),
        "{}",
        outcome.story()
    );
    outcome.assert_says("FORKGUARD_RESTARTED is");
}

/// Without `/proc` the command line is not known.
#[test]
fn without_proc() {
    // An empty folder over /proc, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs none /proc && exec {} fork use",
        client("forks").display()
    );
    let outcome = with_own_mounts(&script)
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "restart")
        .run();
    outcome.assert_stdout(&["child count 3", "child exited 3", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
    outcome.assert_says("/proc");
}
