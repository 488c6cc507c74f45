//! A program under the guard has what the command was started with: closed descriptors stay closed,
//! ignored signals stay ignored, and of `run` it has the process itself.
//!
//! Would fail if the command's own runtime opened descriptors for the program, or took from it that
//! `SIGPIPE` is ignored (systemd starts services so) or that ends of children are; if the command
//! stayed between the program and its parent; or if a Python in front of the command left its own
//! ignored signals to the program.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use forkguard_testkit::{library, tempfile};
use snapbox::cmd::cargo_bin;

/// Writes down which standard descriptors are open, what is ignored, and which process it is.
const LOOK: &str = r#"open=
for fd in 0 1 2; do if [ -e /proc/$$/fd/$fd ]; then open=$open$fd; fi; done
grep ^SigIgn /proc/$$/status > "$0"
echo "open: $open" >> "$0"
echo "pid: $$" >> "$0""#;

/// What `LOOK` writes under `before`, started with these descriptors closed and signals ignored; and
/// the process that was started.
fn looked(before: &[&str], closed: &'static [i32], ignored: &'static [i32]) -> (String, u32) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("said");
    let mut words: Vec<&str> = before.to_vec();
    words.extend(["sh", "-c", LOOK]);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(&file)
        .stderr(Stdio::null())
        .env_remove("LD_PRELOAD")
        .env_remove("FORKGUARD_CONFIG");
    // SAFETY: these may be called in a forked child.
    unsafe {
        command.pre_exec(move || {
            for &fd in closed {
                libc::close(fd);
            }
            for &signal in ignored {
                libc::signal(signal, libc::SIG_IGN);
            }
            Ok(())
        });
    }
    let mut child = command.spawn().expect("it can be started");
    let status = child.wait().expect("it is ours");
    assert!(status.success(), "{before:?} ended with {status}");
    let said = fs::read_to_string(file).expect("it wrote the file");
    (said, child.id())
}

fn without_pid(said: &str) -> String {
    let of_process = |line: &&str| !line.starts_with("pid: ");
    said.lines()
        .filter(of_process)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn closed_descriptors_and_ignored_signals_are_the_programs() {
    let command = cargo_bin!("forkguard").to_str().expect("text");
    let library = library();
    let library = library.to_str().expect("text");
    for (closed, ignored) in [
        (&[][..], &[][..]),
        (&[0], &[libc::SIGPIPE]),
        (&[1, 2], &[libc::SIGHUP]),
        (&[0, 1, 2], &[libc::SIGPIPE, libc::SIGCHLD]),
    ] {
        let (bare, pid) = looked(&["env"], closed, ignored);
        assert!(bare.ends_with(&format!("\npid: {pid}\n")), "{bare}");
        for subcommand in ["run", "trace", "check"] {
            let before = [command, subcommand, "--library", library, "--"];
            let (said, pid) = looked(&before, closed, ignored);
            assert_eq!(without_pid(&said), without_pid(&bare), "{subcommand}");
            let took_its_place = said.ends_with(&format!("\npid: {pid}\n"));
            assert_eq!(took_its_place, subcommand == "run", "{subcommand}: {said}");
        }
    }
}

/// As it is installed: the package's Python files, and the command above them.
fn installed(prefix: &Path) {
    let package =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/package.d/python/forkguard");
    let site = prefix.join("site/forkguard");
    fs::create_dir_all(&site).expect("a folder can be made");
    for file in ["__init__.py", "__main__.py"] {
        fs::copy(package.join(file), site.join(file)).expect("it is there");
    }
    fs::create_dir(prefix.join("bin")).expect("a folder can be made");
    let command = prefix.join("bin/forkguard");
    std::os::unix::fs::symlink(cargo_bin!("forkguard"), command).expect("a link can be made");
}

#[test]
fn a_python_before_the_command_keeps_its_ignored_signals() {
    let prefix = tempfile::tempdir().expect("a folder can be made");
    installed(prefix.path());
    let site = format!("PYTHONPATH={}", prefix.path().join("site").display());
    let library = library();
    let library = library.to_str().expect("text");
    let before = [
        "env",
        &site,
        "python3",
        "-m",
        "forkguard",
        "run",
        "--library",
        library,
        "--",
    ];
    let (said, _) = looked(&before, &[], &[]);
    let (bare, _) = looked(&["env"], &[], &[]);
    assert_eq!(without_pid(&said), without_pid(&bare));
}
