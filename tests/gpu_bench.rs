//! What `scripts/gpu-bench` says of a GPU rests on: its verdicts, seen where it is known what is to be told, and its way to
//! take the guard's stubs out of a running program, count the calls that go through them, and put them back. Fails when
//! a verdict is given to noise or a loss of one percent is not told, and when the gate's machine code is no longer what
//! `scripts/gpu/bench/stubs.c` knows.
#![cfg(target_arch = "x86_64")]

use forkguard_testkit::tempfile::TempDir;
use forkguard_testkit::{Program, python};
use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// The client of this test; `folder` is where the library that it loads is built.
fn client(folder: &TempDir) -> Program {
    let library = folder.path().join("stubs.so");
    let built = Command::new("gcc")
        .args([
            "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
        ])
        .arg(&library)
        .arg(scripts().join("gpu/bench/stubs.c"))
        .status()
        .expect("gcc is there wherever the clients could be built");
    assert!(built.success());
    python("gpu_bench_stubs.py").arg(library)
}

#[test]
fn stubs_are_counted_taken_out_and_put_back() {
    let folder = TempDir::new().expect("a folder");
    let told = "320 ['cuDeviceGetCount', '300', 'cuDriverGetVersion', '20'] {0}";
    let outcome = client(&folder).run();
    outcome
        .assert_stdout(&[
            "called {0}",
            "found True",
            told,
            "out True",
            "0 [] {0}",
            "in True",
            told,
        ])
        .assert_reports("cuDeviceGetCount");
}

#[test]
fn without_the_guard_there_is_nothing_to_find() {
    let folder = TempDir::new().expect("a folder");
    let outcome = client(&folder).bare().run();
    outcome.assert_code(0).assert_stdout(&[
        "called {0}",
        "found -1",
        "0 [] {0}",
        "out False",
        "0 [] {0}",
        "in False",
        "0 [] {0}",
    ]);
}

#[test]
fn verdicts_are_right() {
    let ran = Command::new(scripts().join("gpu-bench"))
        .arg("--check-figures")
        .output()
        .expect("the script runs");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}
