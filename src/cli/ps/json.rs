//! The processes as programs read them: one document a line.

use forkguard_record::State;
use serde::Serialize;

use super::family::{By, Fork};
use super::look::{Part, Process, Seen};
use super::moment;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    processes: Vec<Entry<'a>>,
    /// Processes of other users, which could not be looked at.
    not_looked_at: usize,
    /// There may be more of them, of which not even the numbers are shown.
    hidden: bool,
}

#[derive(Serialize)]
struct Entry<'a> {
    pid: i32,
    /// The process that it is shown under.
    parent: Option<i32>,
    user: &'a str,
    uid: u32,
    command: &'a str,
    /// The same for all processes of a family.
    family: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<bool>,
    /// Its own; of the process that the family began with, the whole family's.
    violations: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations_of_ended: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initialised: Option<Initialised<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forked: Option<Forked<'a>>,
    /// Why nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Initialised<'a> {
    /// As its own pid namespace numbers it.
    pid: i32,
    tid: i32,
    thread: &'a str,
    time: String,
    function: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    library: &'a str,
    /// The program's own innermost frame first.
    place: &'a [String],
    guard: &'a str,
}

#[derive(Serialize)]
struct Forked<'a> {
    /// The parent, as its own pid namespace numbers it; absent where the fork was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    function: &'a str,
    place: &'a [String],
}

/// All of it, on one line.
pub fn document(seen: &Seen) -> String {
    let document = Document {
        schema: 1,
        processes: seen
            .processes
            .values()
            .map(|process| entry(seen, process))
            .collect(),
        not_looked_at: seen.denied,
        hidden: seen.hidden,
    };
    // It has texts and numbers only, which are always JSON.
    let mut text = serde_json::to_string(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn entry<'a>(seen: &Seen, process: &'a Process) -> Entry<'a> {
    let mut entry = Entry {
        pid: process.pid,
        parent: seen.tree.parent(process.pid),
        user: &process.user,
        uid: process.uid,
        command: &process.command,
        family: process.family.inode,
        state: "unknown",
        policy: None,
        context: None,
        violations: 0,
        violations_of_ended: None,
        initialised: None,
        forked: None,
        reason: None,
    };
    match &process.part {
        Part::Initialiser { record, revived } => {
            entry.state = if revived.is_some() {
                "revived"
            } else {
                "initialised"
            };
            entry.forked = revived.as_ref().map(forked);
            entry.violations = record.violations;
            let tree = &seen.tree;
            let ended = tree.violations_of_the_gone(process.family, record.violations);
            entry.violations_of_ended = Some(ended);
            entry.context = Some(record.context);
            entry.policy = Some(&record.by.policy);
            entry.initialised = Some(initialised(&record.by));
        }
        Part::Forked { record, fork } => {
            entry.state = fork.as_ref().map_or("forked", |fork| name(fork.state));
            entry.forked = fork.as_ref().map(forked);
            entry.violations = fork.as_ref().map_or(0, |fork| fork.violations);
            entry.policy = Some(&record.by.policy);
            entry.initialised = Some(initialised(&record.by));
        }
        Part::Unknown(why) => entry.reason = Some(why),
    }
    entry
}

fn name(state: State) -> &'static str {
    match state {
        State::Unused => "unused",
        State::Warned => "warned",
        State::Ending => "ending",
        State::Absent => "absent",
        State::Revived => "revived",
    }
}

fn initialised(by: &By) -> Initialised<'_> {
    Initialised {
        pid: by.pid,
        tid: by.tid,
        thread: &by.thread,
        time: moment::rfc3339(by.unix_ns),
        function: &by.function,
        library: &by.library,
        place: &by.place,
        guard: &by.version,
    }
}

fn forked(fork: &Fork) -> Forked<'_> {
    Forked {
        pid: Some(fork.parent).filter(|&pid| pid != 0),
        time: moment::rfc3339(fork.unix_ns),
        function: &fork.function,
        place: &fork.place,
    }
}
