//! `forkguard trace` ends as its program does, and signals are the program's. Would fail if it ended before its
//! program, swallowed a signal, passed on twice what the terminal sends, or hid how the program ended.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use forkguard_testkit::{client, script, tempfile};
use snapbox::cmd::cargo_bin;
use snapbox::{assert_data_eq, str};

use crate::programs::put;
use crate::watching::{folder, forkguard, of_python};

#[test]
fn the_exit_code_is_the_programs() {
    of_python(forkguard("trace"), &["later.py", "code"])
        .run()
        .assert_code(7)
        .assert_says("CUDA was initialised first");
}

#[test]
fn a_signals_number_is_added_to_128() {
    of_python(forkguard("trace"), &["later.py", "signal"])
        .run()
        .assert_code(128 + libc::SIGKILL)
        .assert_says("CUDA was initialised first");
}

#[test]
fn a_program_that_is_not_there_is_127() {
    forkguard("trace")
        .args(["--", "no-such-program"])
        .run()
        .assert_code(127)
        .assert_says("forkguard: no-such-program cannot be started: no such file or directory");
}

#[test]
fn ctrl_c_reaches_the_program_once_and_the_command_waits() {
    let interpreter = forkguard_testkit::interpreter();
    let typist = forkguard_testkit::python("traced/typing_it.py").bare();
    let outcome = typist
        .arg(cargo_bin!("forkguard"))
        .args(["trace", "--library"])
        .arg(forkguard_testkit::library())
        .arg("--")
        .arg(interpreter)
        .arg("-B")
        .arg(script("traced/waits.py"))
        .arg("5")
        .run();
    outcome.assert_silent();
    let got = outcome.stdout.matches("got SIGINT").count();
    assert_eq!(got, 1, "{}", outcome.story());
    for line in ["nobody initialised CUDA", "ended with 5"] {
        assert!(outcome.stdout.contains(line), "{}", outcome.story());
    }
}

#[test]
fn what_is_sent_to_the_command_is_passed_on() {
    let interpreter = forkguard_testkit::interpreter();
    let mut running = Command::new(cargo_bin!("forkguard"))
        .args(["trace", "--library"])
        .arg(forkguard_testkit::library())
        .arg("--")
        .arg(interpreter)
        .args(["-B", "waits.py", "6"])
        .current_dir(folder())
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // SAFETY: takes no pointers; the command has not been waited for.
    unsafe { libc::kill(running.id().cast_signed(), libc::SIGTERM) };
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "got SIGTERM\n");
    assert_eq!(running.wait().unwrap().code(), Some(6));
}

#[test]
fn a_text_without_an_interpreter_is_the_shells() {
    let folder = tempfile::tempdir().unwrap();
    let script = put(folder.path(), "script", "exit 7\n");
    for subcommand in ["run", "trace"] {
        let outcome = forkguard(subcommand).arg("--").arg(&script).run();
        outcome.assert_code(7);
    }
}

#[test]
fn a_program_without_the_guard_is_not_called_innocent() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("static");
    let source = folder.path().join("static.c");
    std::fs::write(&source, "int main(void) { return 4; }\n").unwrap();
    let built = Command::new("gcc")
        .arg("-static")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(built.unwrap().success(), "gcc -static");
    for (subcommand, code) in [("trace", 4), ("check", 2)] {
        let outcome = forkguard(subcommand).arg("--").arg(&program).run();
        outcome
            .assert_code(code)
            .assert_says("not all was seen: ")
            .assert_says("is statically linked");
        assert!(
            !outcome.stderr.contains("nobody initialised"),
            "{}",
            outcome.story()
        );
    }
}

#[test]
fn a_program_that_takes_the_guard_out_is_not_called_innocent() {
    forkguard("check")
        .args(["--", "env", "-i", "true"])
        .run()
        .assert_code(2)
        .assert_says("nothing can be said: ")
        .assert_says("takes the guard out of its environment");
}

#[test]
fn what_outlives_the_command_is_told_nothing() {
    let outcome = of_python(forkguard("trace"), &["outlives.py"]).run();
    outcome.assert_code(0).assert_stdout(&["initialised 0"]);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: nobody initialised CUDA

  pid [..] (python[..]), which the program started, goes on, and is no longer watched

"]]
    );
}

#[test]
fn output_and_input_are_the_programs() {
    let outcome = forkguard("trace")
        .arg("--")
        .arg(client("roads"))
        .args(["dlsym", "init"])
        .run();
    let bare = forkguard_testkit::Program::client("roads")
        .args(["dlsym", "init"])
        .bare()
        .run();
    assert_eq!(outcome.stdout, bare.stdout);
    crate::programs::forkguard("trace")
        .args(["--", "cat"])
        .stdin("a line\n")
        .assert()
        .success()
        .stdout_eq("a line\n");
}
