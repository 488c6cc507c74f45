//! `forkguard run app.py`: a Python file is run by an interpreter, though the kernel would not run
//! it.
//!
//! Would fail if the file were looked for in PATH, if `python -m forkguard` ran it by another
//! interpreter, or if a file that runs by itself were run otherwise.

use std::fs;

use crate::programs::{folder, forkguard, put};

const TELLS: &str = "import os, sys\nprint(sys.argv[1:], os.environ.get('FORKGUARD_PYTHON'))\n";

#[test]
fn by_python3() {
    let folder = folder();
    fs::write(folder.path().join("app.py"), TELLS).unwrap();
    forkguard("run")
        .env_remove("FORKGUARD_PYTHON")
        .current_dir(folder.path())
        .args(["app.py", "--policy", "x"])
        .assert()
        .success()
        .stdout_eq("['--policy', 'x'] None\n")
        .stderr_eq("");
}

#[test]
fn by_the_interpreter_that_started_the_command() {
    let folder = folder();
    put(
        folder.path(),
        "app.py",
        format!("#!/no/such/python\n{TELLS}"),
    );
    let python = put(
        folder.path(),
        "py",
        "#!/bin/sh\necho ours\nexec python3 \"$@\"\n",
    );
    forkguard("run")
        .env("FORKGUARD_PYTHON", python)
        .current_dir(folder.path())
        .args(["./app.py", "a"])
        .assert()
        .success()
        .stdout_eq("ours\n['a'] None\n")
        .stderr_eq("");
}

#[test]
fn by_its_own_interpreter() {
    let folder = folder();
    put(folder.path(), "app.py", "#!/bin/sh\necho by itself\n");
    forkguard("run")
        .env_remove("FORKGUARD_PYTHON")
        .current_dir(folder.path())
        .args(["./app.py"])
        .assert()
        .success()
        .stdout_eq("by itself\n");
}
