//! `cpu`: in a forked child of a process with CUDA the driver answers that there is no device (100), whatever made the
//! child, to every use and again; what is harmless, a probe or a teardown is answered as ever. The environment hides
//! devices from it and from what it starts; its parent's does not, and nobody reads a word on stderr. Fails when one
//! class of call is answered as another, when a later call of the same function is, or when the variable is missing.

use forkguard_testkit::{Outcome, Program};

fn absent(how: &str) -> Program {
    Program::client("absent")
        .arg(how)
        .env("HOME", "/home/me")
        .policy("cpu")
        .with_events()
}

/// Asked by `who`: the lines that it says.
fn asked(who: &str, home: &str) -> Vec<String> {
    vec![
        format!("{who} init 100 count 100 (7) get 100 alloc 100 stream 100"),
        format!("{who} again init 100 count 100"),
        format!("{who} harmless 0 CUDA_ERROR_NO_DEVICE probe 3 teardown 3 3"),
        format!("{who} devices \"\""),
        format!("its program devices \"\" home \"{home}\""),
    ]
}

fn assert_asked(outcome: &Outcome, who: &str, home: &str, after: &[&str]) {
    outcome.assert_silent();
    let mut lines = asked(who, home);
    lines.extend(after.iter().map(ToString::to_string));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    outcome.assert_stdout(&lines);
    let events = outcome.events_named("cpu");
    assert_eq!(events.len(), 1, "{}", outcome.story());
    assert_eq!(events[0]["policy"], "cpu");
    assert_eq!(events[0]["function"], "cuInit");
    assert_eq!(events[0]["context"], true);
    assert_ne!(events[0]["used"]["pid"], events[0]["initialised"]["pid"]);
    assert_eq!(outcome.events_named("violation").len(), 0);
}

const AFTER: [&str; 3] = [
    "child exited 7",
    "parent devices \"unset\"",
    "parent sync 0 alloc 0",
];

#[test]
fn a_fork() {
    assert_asked(&absent("fork").run(), "child", "/home/me", &AFTER);
}

/// Nobody knows of it before its first call.
#[test]
fn a_bare_clone() {
    assert_asked(&absent("clone").run(), "child", "/home/me", &AFTER);
}

#[test]
fn a_grandchild() {
    let mut after = vec!["grandchild exited 7"];
    after.extend(AFTER);
    assert_asked(
        &absent("grandchild").run(),
        "grandchild",
        "/home/me",
        &after,
    );
}

#[test]
fn an_environment_of_the_programs_own() {
    assert_asked(&absent("crowded").run(), "child", "/own", &AFTER);
}

/// Nothing is written there.
#[test]
fn an_environment_that_is_constant() {
    let after = [AFTER[0], "parent devices \"3\"", AFTER[2]];
    assert_asked(&absent("constant").run(), "child", "/own", &after);
}

#[test]
fn a_long_line_of_forks_does_not_grow() {
    let outcome = absent("line").run();
    outcome.assert_silent();
    let mut lines = vec!["the last has 0 mappings more"];
    lines.extend(AFTER);
    outcome.assert_stdout(&lines);
}

#[test]
fn devices_that_the_user_chose() {
    let outcome = absent("fork").env("CUDA_VISIBLE_DEVICES", "0,1").run();
    let after = ["child exited 7", "parent devices \"0,1\"", AFTER[2]];
    assert_asked(&outcome, "child", "/home/me", &after);
}

#[test]
fn threads_at_the_same_moment() {
    let outcome = absent("threads").run();
    outcome.assert_silent();
    let mut lines = vec!["thread count 100"; 8];
    lines.extend(AFTER);
    outcome.assert_stdout(&lines);
    assert_eq!(outcome.events_named("cpu").len(), 1, "{}", outcome.story());
}

#[test]
fn a_word_where_that_is_asked_for() {
    let outcome = absent("fork").env("FORKGUARD_VERBOSE", "1").run();
    outcome
        .assert_says("used CUDA in a forked process (cuInit): CUDA is absent in it (policy cpu)");
}
