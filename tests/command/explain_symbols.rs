//! `forkguard explain` takes symbols from the very file that ran, and from debug information that
//! belongs to it.
//!
//! Would fail if a file were used that was built again since, if a stripped file were taken for a
//! foreign one, or if debug information kept apart were not found, or another build's were used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forkguard_testkit::{Program, client};

use crate::recorded::Recorded;

/// A line that only debug information knows.
const LINE: &str = "scenarios.c:";
/// A function that is not exported, and so only the file's own table knows.
const STATIC: &str = "count_devices";

/// Events of a copy of the client `roads`, and the copy.
fn record() -> (Recorded, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let program = folder.path().join("roads");
    fs::copy(client("roads"), &program).expect("the client can be copied");
    let recorded = Recorded::of([Program::at(&program).args(["dlsym", "child-use"])]);
    (recorded, folder, program)
}

fn run(command: &mut Command) {
    let status = command.status().expect("binutils are there");
    assert!(status.success(), "{command:?}");
}

fn objcopy(arguments: &[&str], from: &Path, to: &Path) {
    run(Command::new("objcopy").args(arguments).arg(from).arg(to));
}

#[test]
fn another_build_is_not_used() {
    let (recorded, _folder, program) = record();
    fs::copy(client("forks"), &program).expect("the program can be replaced");
    let text = recorded.explained();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("roads is another build than the one that ran"),
        "{text}"
    );
    assert!(!text.contains(LINE) && !text.contains(".c:"), "{text}");
    // What the event itself knows is still told.
    assert!(text.contains("run_scenario"), "{text}");
}

#[test]
fn a_file_that_is_gone_is_told() {
    let (recorded, _folder, program) = record();
    fs::remove_file(program).expect("the program can be removed");
    let text = recorded.explained();
    assert!(text.contains("not here: roads"), "{text}");
    assert!(text.contains("run_scenario"), "{text}");
}

#[test]
fn files_are_looked_for_below_a_root() {
    let (recorded, _folder, program) = record();
    let root = tempfile::tempdir().expect("a root");
    let there = root
        .path()
        .join(program.strip_prefix("/").expect("absolute"));
    fs::create_dir_all(there.parent().expect("a folder")).expect("folders");
    fs::rename(&program, &there).expect("the program can be moved");
    let command = recorded.explain().arg("--root").arg(root.path());
    let text = crate::recorded::told(command);
    assert!(text.contains(LINE) && !text.contains("not here"), "{text}");
}

#[test]
fn a_stripped_file_tells_what_it_has() {
    let (recorded, _folder, program) = record();
    run(Command::new("strip").arg(&program));
    let text = recorded.explained();
    assert!(!text.contains("another build"), "{text}");
    assert!(!text.contains(LINE) && !text.contains(STATIC), "{text}");
    assert!(text.contains("run_scenario"), "{text}");
}

#[test]
fn debug_information_kept_apart_is_found_and_checked() {
    let (recorded, folder, program) = record();
    let debug = folder.path().join("roads.debug");
    let bare = folder.path().join("bare");
    objcopy(&["--only-keep-debug"], &program, &debug);
    let link = format!("--add-gnu-debuglink={}", debug.display());
    objcopy(&["--strip-all", &link], &program, &bare);
    fs::rename(&bare, &program).expect("the program can be replaced");
    let text = recorded.explained();
    assert!(text.contains(LINE) && text.contains(STATIC), "{text}");

    objcopy(&["--only-keep-debug"], &client("forks"), &debug);
    let text = recorded.explained();
    assert!(!text.contains(LINE) && !text.contains(STATIC), "{text}");
    assert!(text.contains("run_scenario"), "{text}");
}
