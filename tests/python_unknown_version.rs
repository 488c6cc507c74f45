//! A CPython that came after this library: a report has no Python lines and is whole otherwise, and `exec` says that it does
//! not know this version and leaves the child to the next policy. The interpreter is a copy of the system's whose
//! `Py_Version` says 3.99. Fails when its frames are read by another version's layout, or when its forks are rewritten.

use forkguard_testkit::{Program, script, tempfile};
use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::Path;

const VERSION: [u8; 8] = 0x0363_00f0_u64.to_ne_bytes();

/// Where the interpreter keeps `Py_Version`, in its file.
fn place_of_version(file: &[u8]) -> usize {
    let elf = object::File::parse(file).expect("an interpreter is an ELF file");
    let symbol = elf
        .dynamic_symbols()
        .find(|it| it.name() == Ok("Py_Version"));
    let symbol = symbol.expect("the system's Python is 3.11 or later, and no shared library");
    let index = symbol.section_index().expect("it is defined there");
    let section = elf.section_by_index(index).expect("the section is there");
    let (start, _) = section.file_range().expect("it has contents");
    usize::try_from(symbol.address() - section.address() + start).expect("a file's size")
}

fn of_the_future(folder: &Path) -> Program {
    let mut file = fs::read("/usr/bin/python3").expect("the system has a Python");
    let place = place_of_version(&file);
    file[place..place + VERSION.len()].copy_from_slice(&VERSION);
    let copy = folder.join("python3");
    fs::copy("/usr/bin/python3", &copy).expect("it can be copied");
    fs::write(&copy, file).expect("the copy can be written");
    Program::at(copy).arg("-B").arg(script("workers.py"))
}

#[test]
fn told_without_python_and_not_rewritten() {
    let folder = tempfile::tempdir().expect("a directory for the copy");
    let outcome = of_the_future(folder.path())
        .args(["process", "cuda"])
        .policy("exec,warn")
        .with_events()
        .run();
    outcome.assert_stdout(&["init 0", "process 0"]);
    outcome.assert_reports("cuDeviceGetCount");
    outcome.assert_says("CPython 3.99");
    let events = outcome.events();
    let violation = events.iter().find(|event| event["event"] == "violation");
    let violation = violation.unwrap_or_else(|| panic!("no event\n{}", outcome.story()));
    for place in ["initialised", "forked", "used"] {
        let frames = |kind: &str| violation[place][kind].as_array().map_or(0, Vec::len);
        assert_eq!(frames("python"), 0, "{violation}");
        assert!(frames("native") > 0, "{violation}");
    }
}
