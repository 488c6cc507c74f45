//! What cannot be written is an error, with the reason; a reader that leaves early (`| head`) is none.
//!
//! Would fail if a script took half of an answer for all of it, or if `forkguard ps | head -1` complained.

use std::fs::File;
use std::io::pipe;
use std::process::{Command, Stdio};

use snapbox::cmd::cargo_bin;

use crate::recorded::{Recorded, roads};

fn forkguard(words: &[&str], out: impl Into<Stdio>) -> (Option<i32>, String) {
    let outcome = Command::new(cargo_bin!("forkguard"))
        .env_remove("LD_PRELOAD")
        .args(words)
        .stdout(out)
        .output()
        .expect("the command runs");
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    (outcome.status.code(), said)
}

#[test]
fn a_full_disk_is_told_and_a_reader_that_left_is_not() {
    let recorded = Recorded::of([roads("child-use")]);
    let events = recorded.file().display().to_string();
    let library = forkguard_testkit::library().display().to_string();
    for words in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["manual"],
        &["completions", "bash"],
        &["ps"],
        &["ps", "--json"],
        &["doctor", "--library", &library, "--", "true"],
        &["explain", &events],
        &["explain", "--html", "-", &events],
    ] {
        let full = File::options().write(true).open("/dev/full");
        let (code, said) = forkguard(words, full.expect("a device of the kernel"));
        let why = "forkguard: standard output takes no more: no space left on device\n";
        assert_eq!((code, &*said), (Some(1), why), "{words:?}");
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        assert_eq!(
            forkguard(words, writer),
            (Some(0), String::new()),
            "{words:?}"
        );
    }
}
