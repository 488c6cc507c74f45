//! What the tests stand on: the stand-in driver, the client programs, and a way to run them with and without the
//! guard. It asserts about what a program said and how it ended; what is right is for each test to say.

mod forked;
mod inject;
mod lists;
pub mod mangled;
mod outcome;
mod program;
mod root;

pub use forked::{answers_as_forked, same_as_forked};
pub use inject::{Faults, Hit, Whose};
pub use outcome::Outcome;
pub use program::{
    Program, embedded_python, interpreter, python, python_with_packages, python_with_torch, slower,
    with_own_mounts,
};
pub use root::{GUARD, Root};
pub use tempfile;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory of the stand-in `libcuda.so.1` and `libnvcuvid.so.1`, for `LD_LIBRARY_PATH`.
pub fn driver_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/driver"))
}

/// The directory of a `libcuda.so.1` whose names have a symbol version, `STAND_IN`; NVIDIA's have none.
pub fn versioned_driver_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/driver_versioned"))
}

/// The directory of the client programs and their libraries.
pub fn clients_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/clients"))
}

/// The path of a client program, or of a client library by its file name.
pub fn client(name: &str) -> PathBuf {
    let path = clients_dir().join(name);
    assert!(
        path.exists(),
        "no client is called {name}; tests/testkit/build.rs lists them"
    );
    path
}

/// The path of a Python client.
pub fn script(name: &str) -> PathBuf {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../clients")).join(name);
    path.canonicalize()
        .unwrap_or_else(|error| panic!("no script is called {name}: {error}"))
}

/// The number of the one line of a Python client that ends with this mark, a comment.
pub fn marked_line(name: &str, mark: &str) -> usize {
    let text = std::fs::read_to_string(script(name)).expect("the script can be read");
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.ends_with(mark));
    let (number, _) = lines
        .next()
        .unwrap_or_else(|| panic!("no line of {name} is marked {mark}"));
    assert!(
        lines.next().is_none(),
        "two lines of {name} are marked {mark}"
    );
    number
}

/// The `libforkguard.so` under test: what `FORKGUARD_LIB` names, else the one of the running test's
/// own profile, brought up to date first.
///
/// Panics when there is none: a missing preload is only a warning of the loader, and every test of
/// silence would pass.
pub fn library() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(named) = env::var_os("FORKGUARD_LIB") {
        let path = PathBuf::from(named);
        assert!(
            path.is_file(),
            "FORKGUARD_LIB names {}, which is no file",
            path.display()
        );
        return path.canonicalize().expect("a file has a full path");
    }
    BUILT
        .get_or_init(|| build("forkguard", "libforkguard.so"))
        .clone()
}

/// The `libforkguard_standin.so` of the running test's own profile, beside the command, and there NVML's, too, brought
/// up to date first.
pub fn stand_in() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            build("forkguard-standin-nvml", "libforkguard_standin_nvml.so");
            build("forkguard-standin", "libforkguard_standin.so")
        })
        .clone()
}

/// `cargo test` does not build a `cdylib`: tests link nothing of it.
fn build(package: &str, file: &str) -> PathBuf {
    let test = env::current_exe().expect("the running test has a path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("a test lies in target/PROFILE/deps");
    let target = profile
        .parent()
        .expect("a profile lies in the target directory");
    let library = profile.join(file);
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--quiet",
            "--lib",
            "--package",
            package,
            "--manifest-path",
        ]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
        build.arg("--target-dir").arg(target);
        let name = profile
            .file_name()
            .expect("a profile's directory has a name");
        build.arg("--profile").arg(if name == "debug" {
            "dev".as_ref()
        } else {
            name
        });
        let outcome = build
            .output()
            .expect("cargo runs the tests, so it can be run");
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(
            outcome.status.success(),
            "{file} could not be built:\n{said}"
        );
    }
    assert!(
        library.is_file(),
        "{} is not there: run the tests with cargo",
        library.display()
    );
    library
}
