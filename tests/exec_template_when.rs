//! A warm template is there where it pays, and makes no worker that could not be what a forked one would be. Fails when
//! a program that starts one worker has a template, when one is started that was forbidden, or when a template of
//! another session, with other privileges or of another interpreter serves.

use forkguard_testkit::{Outcome, python_with_packages};

/// How the program's own workers were made, and how many children it had beside each.
fn ways(piece: &str, template: &str) -> (Vec<String>, String) {
    let outcome: Outcome = python_with_packages("exec_template_when.py")
        .arg(piece)
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", template)
        .with_events()
        .run();
    outcome.assert_silent();
    let events = outcome.events();
    let told = events.iter().filter(|event| event["event"] == "rewritten");
    let ways = told.map(|event| event["way"].as_str().expect("a word").to_owned());
    let beside = outcome.stdout.strip_prefix(piece).expect("its name");
    (ways.collect(), beside.trim().to_owned())
}

fn expect(piece: &str, template: &str, ways_expected: &[&str], beside: &str) {
    let (found, others) = ways(piece, template);
    assert_eq!(
        (found, others.as_str()),
        (
            ways_expected.iter().map(ToString::to_string).collect(),
            beside
        )
    );
}

#[test]
fn one_worker_of_a_light_program() {
    expect("light_once", "", &["exec"], "0");
}

#[test]
fn the_second_worker_of_a_light_program() {
    expect("light_twice", "", &["exec", "exec"], "0 1");
}

#[test]
fn heavy_imports() {
    expect("heavy", "", &["template"], "1");
}

#[test]
fn forbidden() {
    expect("off", "0", &["exec", "exec"], "0 0");
}

#[test]
fn a_worker_has_none_of_its_own() {
    expect("nested", "", &["template"], "1");
}

#[test]
fn another_session() {
    expect("session", "1", &["template", "exec"], "1 1");
}

#[test]
fn other_privileges() {
    expect("privileges", "1", &["template", "exec"], "1 1");
}

#[test]
fn another_interpreter() {
    expect("executable", "1", &["template", "exec"], "1 1");
}

#[test]
fn a_template_that_was_killed() {
    expect("unanswering", "1", &["template", "exec"], "1 0");
}
