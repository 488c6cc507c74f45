//! What `functools.lru_cache` remembers is remembered under `exec` as after a fork: a name drawn at random, settings
//! changed afterwards, by whatever arguments. A result that cannot cross leaves that cache empty, and the event says so.
//! Fails when a worker sees otherwise than a forked one, or when nothing tells of the cache that was left.

use forkguard_testkit::{Outcome, Program, python_with_packages};

fn program() -> Program {
    python_with_packages("exec_remembered.py")
}

fn assert_remembers(fresh: &Outcome) {
    let forked = program().bare().run();
    forked.assert_silent().assert_code(0);
    fresh.assert_silent().assert_code(0);
    assert!(forked.stdout.ends_with(" 3\n"), "{}", forked.story());
    assert_eq!(
        forked.stdout.replace(" 3\n", " 0\n"),
        fresh.stdout,
        "{}",
        fresh.story()
    );
    let events = fresh.events();
    let rewritten = events.iter().find(|event| event["event"] == "rewritten");
    let suspicious = rewritten.map(|event| event["suspicious"].to_string());
    assert!(
        suspicious.is_some_and(|text| text.contains("cannot_cross()")),
        "{}",
        fresh.story()
    );
}

#[test]
fn fresh_process() {
    let fresh = program().policy("exec,abort").with_events();
    assert_remembers(&fresh.env("FORKGUARD_TEMPLATE", "0").run());
}

#[test]
fn clone_of_the_template() {
    let fresh = program().policy("exec,abort").with_events();
    assert_remembers(&fresh.env("FORKGUARD_TEMPLATE", "1").run());
}
