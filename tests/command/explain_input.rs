//! What is no file of events, or one with other things in it, is told in words, and what can be
//! read of it is shown.
//!
//! Would fail if a broken line hid a good one, if anything made the command panic, or if it ended
//! well with nothing to show.

use snapbox::cmd::{Command, cargo_bin};

use crate::recorded::{Recorded, explain, roads};

fn refused(file: &str) -> String {
    let folder = std::env::temp_dir();
    let outcome = explain(&folder).arg(file).assert().code(2).stdout_eq("");
    String::from_utf8_lossy(&outcome.get_output().stderr).into_owned()
}

#[test]
fn what_cannot_be_read() {
    assert_eq!(
        refused("/no/such/file"),
        "forkguard: /no/such/file cannot be read: no such file or directory\n"
    );
    assert_eq!(
        refused("/"),
        "forkguard: / cannot be read: is a directory\n"
    );
    assert_eq!(
        refused("/dev/null"),
        "forkguard: /dev/null is empty: no event was written to it\n"
    );
}

#[test]
fn what_holds_no_event() {
    let log = Recorded::with("starting\n{\"level\":\"info\"}\n");
    log.explain().assert().code(2).stdout_eq("").stderr_eq(
        "forkguard: events.jsonl holds no event of the guard's in 2 lines; the guard writes them \
         where FORKGUARD_REPORT says\n",
    );
    let bytes: Vec<u8> = (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    Recorded::with(bytes)
        .explain()
        .assert()
        .code(2)
        .stdout_eq("");
}

#[test]
fn what_is_broken_is_told_and_the_rest_is_shown() {
    let real = Recorded::of([roads("child-use")]).line("violation");
    let lines = [
        "a line of the program's own",
        &real,
        &real.replace("\"schema\":1", "\"schema\":7"),
        &format!("2026-01-01T00:00:00Z stderr F {real}"),
        "{\"schema\":1,\"event\":\"vio\u{fffd}",
        "\0\0\0",
        &real[..real.len() - 9],
    ];
    let recorded = Recorded::with(lines.join("\n"));
    let outcome = recorded.explain().assert().success().stderr_eq(
        "\
forkguard: events.jsonl:3: the line has schema 7, and this command reads schema 1: it takes the \
forkguard that wrote it
forkguard: events.jsonl:5: the line is no event as the guard writes them ([..])
forkguard: events.jsonl:7: the line is cut off: the file ends within it
forkguard: events.jsonl: 1 line of others passed over
",
    );
    let text = String::from_utf8_lossy(&outcome.get_output().stdout).into_owned();
    assert!(
        text.starts_with("events.jsonl: 2 events, 1 cause"),
        "{text}"
    );
}

#[test]
fn a_thousand_broken_lines_are_few_words() {
    let real = Recorded::of([roads("child-use")]).line("violation");
    let broken = "{\"schema\":1,\"event\":0}\n".repeat(1000);
    let outcome = Recorded::with(broken + &real).explain().assert().success();
    let said = String::from_utf8_lossy(&outcome.get_output().stderr).into_owned();
    assert_eq!(said.lines().count(), 6, "{said}");
    assert!(said.ends_with("995 more lines cannot be read\n"), "{said}");
}

#[test]
fn a_root_that_is_none() {
    let recorded = Recorded::of([roads("child-use")]);
    for root in ["none", "events.jsonl"] {
        let said = format!(
            "forkguard: --root {root} is no folder; name the one that was / for the program\n"
        );
        let command = recorded.explain().args(["--root", root]);
        command.assert().code(2).stdout_eq("").stderr_eq(said);
    }
}

#[test]
fn a_page_does_not_replace_the_events() {
    let recorded = Recorded::of([roads("child-use")]);
    let events = std::fs::read(recorded.file()).expect("the events");
    recorded
        .explain()
        .args(["--html", "./events.jsonl"])
        .assert()
        .code(2)
        .stderr_eq("forkguard: events.jsonl holds the events; name another file for the page\n");
    assert_eq!(std::fs::read(recorded.file()).ok(), Some(events));
}

#[test]
fn events_come_by_standard_input_and_the_reader_may_leave() {
    let recorded = Recorded::of([roads("child-use")]);
    let events = std::fs::read(recorded.file()).expect("the events");
    explain(&std::env::temp_dir())
        .arg("-")
        .stdin(events)
        .assert()
        .success()
        .stdout_eq("standard input: 2 events, 1 cause; [..] UTC\n...\n");
    Command::new("bash")
        .arg("-c")
        .arg("set -o pipefail; \"$0\" explain --full \"$1\" | true")
        .arg(cargo_bin!("forkguard"))
        .arg(recorded.file())
        .assert()
        .success()
        .stderr_eq("");
}
