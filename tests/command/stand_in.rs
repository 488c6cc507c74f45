//! The stand-in driver has every name of the driver and no other, calls itself `libcuda.so.1`, says that there is no
//! device, and with one accepts `cuInit` and refuses a forked child. Would fail if a name were missing, so that a
//! program that is linked with the driver does not start, or if it pretended that it can do work.

use std::process::Command;

use forkguard_testkit::{Program, stand_in, tempfile};

fn names_of(arguments: &[&str]) -> Vec<String> {
    let outcome = Command::new("nm")
        .args(arguments)
        .arg(stand_in())
        .output()
        .expect("binutils are there");
    let text = String::from_utf8(outcome.stdout).unwrap();
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn its_names_are_the_drivers() {
    let list = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scripts/data/libcuda.names"
    );
    let text = std::fs::read_to_string(list).unwrap();
    let mut expected: Vec<&str> = text.lines().collect();
    expected.sort_unstable();
    assert!(expected.len() > 600);
    assert_eq!(names_of(&["-D", "--defined-only"]), expected);
}

/// The answers of `cuInit`, `cuDeviceGetCount`, `cuMemAlloc_v2` by two roads, and of a forked child's `cuInit`.
const ASKS: &str = "
import ctypes, os
cuda = ctypes.CDLL('libcuda.so.1')
n = ctypes.c_int()
print('init', cuda.cuInit(0))
print('count', cuda.cuDeviceGetCount(ctypes.byref(n)), n.value)
print('work', cuda.cuMemAlloc_v2(ctypes.byref(ctypes.c_void_p()), 16))
found, status = ctypes.c_void_p(), ctypes.c_int(9)
print('found', cuda.cuGetProcAddress_v2(b'cuMemAlloc', ctypes.byref(found), 12000, 0, ctypes.byref(status)), status.value)
print('the same', ctypes.CFUNCTYPE(ctypes.c_int)(found.value)())
print('unknown', cuda.cuGetProcAddress_v2(b'cuNothing', ctypes.byref(found), 12000, 0, ctypes.byref(status)), status.value)
words = ctypes.c_char_p()
print('words', cuda.cuGetErrorString(100, ctypes.byref(words)), words.value.decode())
print('no words', cuda.cuGetErrorString(7, ctypes.byref(words)), words.value)
if os.fork() == 0:
    print('child', cuda.cuInit(0), flush=True)
    os._exit(0)
os.wait()
";

fn asked(device: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(stand_in(), folder.path().join("libcuda.so.1")).unwrap();
    let program = Program::at("python3")
        .args(["-u", "-c", ASKS])
        .driver_in(folder.path())
        .bare();
    let program = if device {
        program.env("FORKGUARD_STANDIN", "device")
    } else {
        program
    };
    let outcome = program.run();
    outcome.assert_silent();
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn there_is_no_device() {
    assert_eq!(
        asked(false),
        [
            "init 100",
            "count 3 0",
            "work 3",
            "found 0 0",
            "the same 3",
            "unknown 0 1",
            "words 0 no CUDA-capable device is detected",
            "no words 1 None",
            "child 100",
        ]
    );
}

#[test]
fn with_a_device_it_does_no_work_and_refuses_forked_children() {
    assert_eq!(
        asked(true),
        [
            "init 0",
            "count 0 1",
            "work 801",
            "found 0 0",
            "the same 801",
            "unknown 0 1",
            "words 0 no CUDA-capable device is detected",
            "no words 1 None",
            "child 3",
        ]
    );
}
