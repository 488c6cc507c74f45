//! `forkguard run` preloads the library from wherever it lies, or says that it cannot.
//!
//! Would fail if the loader took a path with spaces or colons for several, and the program ran
//! without the guard.

use std::fs;
use std::path::Path;

use forkguard_testkit::with_own_mounts;
use snapbox::cmd::{Command, cargo_bin};
use snapbox::str;

use crate::programs::{folder, forkguard, put};

/// Tells how much of the library is there.
const MAPPED: &str = "grep -c libforkguard.so /proc/self/maps >/dev/null && echo guarded";

fn run(library: &Path, cache: &Path) -> Command {
    Command::new(cargo_bin!("forkguard"))
        .env_remove("LD_PRELOAD")
        .env("XDG_CACHE_HOME", cache)
        .arg("run")
        .arg("--library")
        .arg(library)
        .args(["--", "sh", "-c", MAPPED])
}

#[test]
fn a_path_that_the_loader_would_split() {
    let folder = folder();
    let bytes = fs::read(forkguard_testkit::library()).unwrap();
    for name in ["a b", "a:b", "$LIB"] {
        let within = folder.path().join(name);
        fs::create_dir(&within).unwrap();
        let library = put(&within, "libforkguard.so", &bytes);
        let cache = folder.path().join("cache");
        for _ in 0..2 {
            run(&library, &cache)
                .assert()
                .success()
                .stdout_eq("guarded\n")
                .stderr_eq("");
        }
        // A folder that does not help is said.
        run(&library, &within).assert().code(125).stderr_eq(str![[r"
forkguard: [..]/libforkguard.so cannot be preloaded: the loader takes the spaces, colons and dollars of its path for marks of its own, and it could not be linked to another place (the cache folder's path is of that kind, too); install forkguard elsewhere

"]]);
    }
}

#[test]
fn a_cache_that_others_may_change_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let within = folder.path().join("a b");
    fs::create_dir(&within).unwrap();
    let bytes = fs::read(forkguard_testkit::library()).unwrap();
    let library = put(&within, "libforkguard.so", bytes);
    let shared = folder.path().join("forkguard");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    run(&library, folder.path())
        .assert()
        .code(125)
        .stderr_eq(str![[r"
forkguard: [..]/libforkguard.so cannot be preloaded: [..] (others may change [..]/forkguard); install forkguard elsewhere

"]]);
}

#[test]
fn a_library_that_is_none() {
    let folder = folder();
    let library = put(folder.path(), "libforkguard.so", "not a library");
    run(&library, folder.path())
        .assert()
        .code(125)
        .stderr_eq(str![[r"
forkguard: [..]/libforkguard.so cannot be preloaded: it is no library; name the guard's, or leave --library out

"]]);
    run(&folder.path().join("none.so"), folder.path())
        .assert()
        .code(125)
        .stderr_eq(str![[r"
forkguard: --library [..]/none.so: no such file or directory

"]]);
}

#[test]
fn a_file_system_without_code() {
    let command = cargo_bin!("forkguard").display().to_string();
    let library = forkguard_testkit::library().display().to_string();
    let outcome = with_own_mounts(&format!(
        "mount -t tmpfs -o noexec none /mnt && cp '{library}' /mnt/libforkguard.so && \
         '{command}' run --library /mnt/libforkguard.so -- true"
    ))
    .bare()
    .run();
    outcome.assert_code(125).assert_says(
        "forkguard: /mnt/libforkguard.so cannot be preloaded: the file system that it lies on is \
         mounted with noexec",
    );
}

#[test]
fn another_guard_and_other_libraries_in_the_variable() {
    let library = forkguard_testkit::library();
    let expected = format!("{}:/x/other.so\n", library.display());
    forkguard("run")
        .env("LD_PRELOAD", "/old/libforkguard.so /x/other.so")
        .args(["--", "sh", "-c", "echo $LD_PRELOAD"])
        .assert()
        .success()
        .stdout_eq(expected);
}
