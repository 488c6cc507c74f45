//! Small programs that the guard does not get into, made as the tests need them, and the command
//! that is to say so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

use forkguard_testkit::tempfile::{TempDir, tempdir};
use snapbox::cmd::{Command, cargo_bin};

/// `forkguard SUBCOMMAND` with the library under test, in an environment without any guard.
pub fn forkguard(subcommand: &str) -> Command {
    Command::new(cargo_bin!("forkguard"))
        .env_remove("LD_PRELOAD")
        .env_remove("FORKGUARD_CONFIG")
        .arg(subcommand)
        .arg("--library")
        .arg(forkguard_testkit::library())
}

/// The bytes of a program that exits with 3: as it is linked usually, and statically.
fn compiled() -> &'static [Vec<u8>; 2] {
    static PROGRAMS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let folder = folder();
        let source = folder.path().join("three.c");
        fs::write(&source, "int main(void) { return 3; }\n").unwrap();
        [&[][..], &["-static"]].map(|how| {
            let program = folder.path().join("three");
            let made = Process::new("gcc")
                .args(how)
                .arg(&source)
                .arg("-o")
                .arg(&program)
                .status();
            assert!(made.is_ok_and(|status| status.success()), "gcc failed");
            fs::read(program).unwrap()
        })
    })
}

/// A folder that every user may look into.
pub fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A program of these bytes, or a script.
pub fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A program that the guard gets into; it exits with 3.
pub fn dynamic(folder: &Path) -> PathBuf {
    put(folder, "dynamic", &compiled()[0])
}

/// The same without a loader.
pub fn of_static(folder: &Path) -> PathBuf {
    put(folder, "static", &compiled()[1])
}

/// A file that says that it is for another machine.
pub fn foreign(folder: &Path) -> PathBuf {
    let mut bytes = compiled()[0].clone();
    // e_machine: 8 is MIPS.
    bytes[18..20].copy_from_slice(&[8, 0]);
    put(folder, "foreign", bytes)
}

/// A program that asks for musl's loader, which is not there.
pub fn of_musl(folder: &Path) -> PathBuf {
    let bytes = &compiled()[0];
    let at = bytes
        .windows(4)
        .position(|four| four == b"/lib")
        .expect("a path of the loader");
    let len = bytes[at..].iter().position(|&byte| byte == 0).unwrap();
    let mut bytes = bytes.clone();
    let name = b"/ld-musl-x.so.1";
    bytes[at..at + len].fill(0);
    bytes[at..at + name.len()].copy_from_slice(name);
    put(folder, "of_musl", bytes)
}
