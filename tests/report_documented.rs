//! `scripts/deploy/observing.md` names every event and every member that events have, and none that they do not have. Fails
//! when a dashboard that was made by the page looks for what is not there, or when something is told that the page does
//! not explain.

use forkguard_testkit::{Outcome, Program, python_with_packages};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Told in cases that other tests have, of floods and of deep stacks.
const ELSEWHERE: [&str; 5] = [
    "lost",
    "suppressed",
    "native_omitted",
    "python_omitted",
    "python_omitted_at",
];

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy/observing.md");
    fs::read_to_string(path).expect("the page can be read")
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The members in the first columns of the tables under "Members", and those that a frame has.
fn documented() -> BTreeSet<String> {
    let page = page();
    let (_, members) = page.split_once("\n## Members\n").expect("its heading");
    let (members, _) = members.split_once("\n## ").expect("the next heading");
    let mut names = BTreeSet::new();
    for row in members.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split(" | ");
        names.extend(quoted(cells.next().expect("a cell")).map(str::to_owned));
        if row.contains("frames") && row.contains("innermost last: ") {
            let (_, frame) = row
                .split_once("innermost last: ")
                .expect("the members of a frame");
            names.extend(quoted(frame).map(str::to_owned));
        }
    }
    names
}

fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.insert(name.clone());
                collect(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

fn told(runs: &[Outcome]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut members, mut names) = (BTreeSet::new(), BTreeSet::new());
    for event in runs.iter().flat_map(Outcome::events) {
        collect(&event, &mut members);
        names.insert(event["event"].as_str().expect("a name").to_owned());
    }
    (members, names)
}

#[test]
fn the_members_are_those_that_events_have() {
    let roads = || {
        Program::client("roads")
            .args(["dlsym", "child-use"])
            .with_events()
    };
    let workers = python_with_packages("exec_state.py").with_events();
    let runs = [
        roads()
            .env("FORKGUARD_EXIT_CODE", "7")
            .env("FORKGUARD_REPORT_ARGV", "1")
            .run(),
        roads().policy("cpu").run(),
        workers.clone().arg("argument").policy("exec,warn").run(),
        workers.arg("trapped").policy("exec,abort").run(),
        Program::reviving("work").with_events().run(),
        Program::reviving("context").with_events().run(),
    ];
    let (members, names) = told(&runs);
    let documented = documented();
    let undocumented: Vec<_> = members.difference(&documented).collect();
    assert!(undocumented.is_empty(), "not on the page: {undocumented:?}");
    let elsewhere = ELSEWHERE.map(str::to_owned);
    let seen: BTreeSet<_> = members.into_iter().chain(elsewhere).collect();
    let never: Vec<_> = documented.difference(&seen).collect();
    assert!(never.is_empty(), "never told: {never:?}");

    // And so the events.
    let page = page();
    let (_, table) = page.split_once("| `event` | when |").expect("its table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows
        .filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(names, listed);
}
