//! `forkguard run` is the program: its process, its terminal, its signals, its files.
//!
//! Would fail if the command stayed between the program and whoever started it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use snapbox::cmd::cargo_bin;

fn run(options: &[&str], words: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("forkguard"));
    command
        .env_remove("LD_PRELOAD")
        .args(["run", "--library"])
        .arg(forkguard_testkit::library())
        .args(options)
        .arg("--")
        .args(words);
    command
}

#[test]
fn the_process_is_the_one_that_was_started() {
    let mut child = run(&[], &["sh", "-c", "echo $$; kill -TERM $$"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let pid = child.id();
    let status = child.wait().unwrap();
    assert_eq!(said.trim().parse(), Ok(pid));
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}

#[test]
fn the_terminal_is_the_programs() {
    const PTY: &str = "import os, pty, sys\nsys.exit(os.WEXITSTATUS(pty.spawn(sys.argv[1:])))";
    let inner = run(
        &[],
        &[
            "sh",
            "-c",
            "test -t 0 && test -t 1 && test -t 2 && stty size >/dev/null && exit 9",
        ],
    );
    let ended = Command::new("python3")
        .args(["-c", PTY])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        ended.status.code(),
        Some(9),
        "{}",
        String::from_utf8_lossy(&ended.stdout)
    );
}

#[test]
fn a_report_stays_where_it_was_meant() {
    let folder = crate::programs::folder();
    let expected = folder.path().join("events").display().to_string();
    for (asked, expected) in [
        ("events", expected.clone()),
        ("text:events", format!("text:{expected}")),
        ("fd:2", "fd:2".to_owned()),
        ("stderr", "stderr".to_owned()),
    ] {
        let ended = run(
            &["--report", asked],
            &["sh", "-c", "cd / && echo $FORKGUARD_REPORT"],
        )
        .current_dir(folder.path())
        .output()
        .unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), expected);
    }
}
