//! Real CUDA clients from `PyPI`, on the stand-in driver: cuda-bindings and numba-cuda. Right programs are left alone,
//! wrong ones reported with the three lines they come from. Fails when the way these libraries take to the driver
//! (some 500 names by cuGetProcAddress) goes around the gate, or is broken by it. `scripts/setup` installs them.

use forkguard_testkit::Program;
use forkguard_testkit::tempfile::tempdir;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The Python that has the packages: `FORKGUARD_TEST_PACKAGES`, else where scripts/setup puts it.
fn interpreter() -> PathBuf {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let path = std::env::var_os("FORKGUARD_TEST_PACKAGES").map_or(usual, PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: scripts/setup makes it",
        path.display()
    );
    path
}

fn program(source: &str, arguments: &[&str]) -> (Program, forkguard_testkit::tempfile::TempDir) {
    let folder = tempdir().expect("a folder for the program");
    let file = folder.path().join("program.py");
    fs::write(&file, source).expect("the program can be written");
    let program = Program::at(interpreter())
        .arg(file)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NUMBA_CUDA_LOG_LEVEL", "CRITICAL")
        .patience(Duration::from_secs(180));
    (program, folder)
}

const BINDINGS: &str = r#"
import multiprocessing, sys
from cuda.bindings import driver

def must(answer):
    result, *values = answer
    if result != driver.CUresult.CUDA_SUCCESS:
        raise SystemExit(f"{result}")
    return values[0] if values else None

def ask():
    must(driver.cuInit(0))  # asked
    return must(driver.cuDeviceGetCount())

def work():
    ask()  # used
    context = must(driver.cuDevicePrimaryCtxRetain(0))
    must(driver.cuCtxSetCurrent(context))
    memory = must(driver.cuMemAlloc(64))
    must(driver.cuMemsetD8(memory, 7, 64))
    back = bytearray(64)
    must(driver.cuMemcpyDtoH(back, memory, 64))
    must(driver.cuMemFree(memory))
    assert back == bytes([7]) * 64

if __name__ == "__main__":
    when, how = sys.argv[1:]
    if when == "before":
        ask()
    process = multiprocessing.get_context(how).Process(target=work)
    process.start()  # forked
    process.join()
    print("worker", process.exitcode, "devices", ask())
"#;

#[test]
fn bindings_used_in_a_forked_worker() {
    let (program, _folder) = program(BINDINGS, &["before", "fork"]);
    let outcome = program.with_events().run();
    outcome
        .assert_code(0)
        .assert_stdout(&["worker -6 devices 1"]);
    outcome.assert_reports("cuInit");
    let events = outcome.events();
    let violation = events
        .iter()
        .find(|event| event["event"] == "violation")
        .expect("the violation's event");
    for (part, mark) in [
        ("initialised", "# asked"),
        ("forked", "# forked"),
        ("used", "# asked"),
    ] {
        let marked = BINDINGS
            .lines()
            .position(|line| line.ends_with(mark))
            .expect("a marked line")
            + 1;
        let frames = violation[part]["python"].as_array().expect("Python frames");
        assert!(
            frames.iter().any(|frame| frame["line"] == marked
                && frame["file"]
                    .as_str()
                    .is_some_and(|file| file.ends_with("/program.py"))),
            "{part}: no frame is program.py:{marked}\n{frames:#?}"
        );
    }
}

#[test]
fn bindings_used_only_in_the_worker() {
    let (program, _folder) = program(BINDINGS, &["never", "fork"]);
    let bare = program.clone().bare().run();
    bare.assert_stdout(&["worker 0 devices 1"]);
    program.run().assert_silent().assert_same_as(&bare);
}

#[test]
fn bindings_used_in_a_spawned_worker() {
    let (program, _folder) = program(BINDINGS, &["before", "spawn"]);
    let bare = program.clone().bare().run();
    bare.assert_stdout(&["worker 0 devices 1"]);
    program.run().assert_silent().assert_same_as(&bare);
}

const NUMBA: &str = r#"
import os, sys
import numpy as np
from numba import cuda

def work():
    array = cuda.to_device(np.arange(16))
    return int(array.copy_to_host().sum())

if sys.argv[1] == "before":
    print("parent", work())
child = os.fork()
if child == 0:
    print("child", work(), flush=True)
    os._exit(7)
status = os.waitpid(child, 0)[1]
print("child", f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
print("parent", work())
"#;

#[test]
fn numba_used_in_a_forked_child() {
    let (program, _folder) = program(NUMBA, &["before"]);
    let outcome = program.run();
    outcome
        .assert_code(0)
        .assert_says("CUDA used in a forked process")
        .assert_says("program.py");
    outcome.assert_stdout(&["parent 120", "child killed by signal 6", "parent 120"]);
}

#[test]
fn numba_used_only_in_the_child_first() {
    let (program, _folder) = program(NUMBA, &["never"]);
    let bare = program.clone().bare().run();
    bare.assert_stdout(&["child 120", "child 7", "parent 120"]);
    program.run().assert_silent().assert_same_as(&bare);
}
