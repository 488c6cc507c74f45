//! In a root directory that holds the program and its libraries and nothing else, no /proc, no /tmp, no /dev, no /etc:
//! a right program is left alone, a wrong one reported. Fails when the guard needs one of them. Takes the right to
//! call chroot: root, or a kernel that lets users have namespaces of their own.

use forkguard_testkit::tempfile::{TempDir, tempdir};
use forkguard_testkit::{Outcome, Program, client, driver_dir, library};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that the loader takes for this one, itself among them.
fn libraries_of(file: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd")
        .arg(file)
        .output()
        .expect("ldd is there");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let paths = told.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

/// A root directory with `/roads`, `/guard/libforkguard.so`, `/driver/libcuda.so.1` and what they need; and the path
/// in there of the loader.
fn bare_root() -> (TempDir, PathBuf) {
    let root = tempdir().expect("a directory for the root");
    let put = |from: &Path, to: &Path| {
        let to = root.path().join(to.strip_prefix("/").unwrap_or(to));
        let folder = to.parent().expect("a file lies somewhere");
        fs::create_dir_all(folder).expect("a folder in the root");
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    };
    let mut loader = None;
    for (from, to) in [
        (client("roads"), "/roads"),
        (library(), "/guard/libforkguard.so"),
        (driver_dir().join("libcuda.so.1"), "/driver/libcuda.so.1"),
    ] {
        put(&from, Path::new(to));
        for needed in libraries_of(&from) {
            put(&needed, &needed);
            if needed.to_string_lossy().contains("/ld-linux") {
                loader = Some(needed);
            }
        }
    }
    (root, loader.expect("ldd names the loader"))
}

fn run_inside(root: &TempDir, loader: &Path, scenario: &str, preload: &[&str]) -> Outcome {
    // SAFETY: geteuid takes nothing and cannot fail.
    let chroot: &[&str] = if unsafe { libc::geteuid() } == 0 {
        &["chroot"]
    } else {
        &["unshare", "--map-root-user", "chroot"]
    };
    // The loader is told what to preload: in the environment it would be meant for chroot too.
    Program::at("/usr/bin/env")
        .bare()
        .args(chroot)
        .arg(root.path())
        .arg(loader)
        .args(preload)
        .args(["--library-path", "/driver", "/roads", "dlsym", scenario])
        .run()
}

const GUARDED: [&str; 2] = ["--preload", "/guard/libforkguard.so"];

#[test]
fn a_right_program() {
    let (root, loader) = bare_root();
    let bare = run_inside(&root, &loader, "use", &[]);
    bare.assert_silent();
    run_inside(&root, &loader, "use", &GUARDED).assert_same_as(&bare);
}

#[test]
fn a_wrong_program() {
    let (root, loader) = bare_root();
    let outcome = run_inside(&root, &loader, "child-use", &GUARDED);
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
}
