//! Files that are mapped into memory, by `mmap` or as numpy's memmap, are mapped again in a fresh process, and shared
//! with the parent as after a fork. Fails when a worker has a copy, or another file of the same name, or when what
//! cannot be mapped again (the file is gone, the pages are the parent's own) is not refused by name.

use forkguard_testkit::{Outcome, python_with_packages};

fn run(way: &str) -> Outcome {
    python_with_packages("exec_mapped.py")
        .arg(way)
        .policy("exec,off")
        .with_events()
        .run()
}

#[track_caller]
fn refused(way: &str, why: &str) {
    let outcome = run(way);
    outcome
        .assert_stdout(&["cuInit 3", "mapped ok"])
        .assert_silent();
    let events = outcome.events();
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "refused")
        .collect();
    assert_eq!(refused.len(), 1, "{}", outcome.story());
    let reason = refused[0]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("`numbers`") && reason.contains(why) && reason.contains("work"),
        "{reason}"
    );
}

#[test]
fn mapped_files_are_mapped_again() {
    run("shared")
        .assert_stdout(&["cuInit 0", "mapped ok"])
        .assert_silent();
}

#[test]
fn a_file_that_is_gone_is_refused() {
    refused("gone", "from one that was removed");
}

#[test]
fn a_private_mapping_is_refused() {
    refused("private", "mapped for this process alone");
}
