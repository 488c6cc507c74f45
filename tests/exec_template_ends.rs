//! A warm template ends with its program, at whatever moment that is killed; one that is of no use makes no workers,
//! and becomes a small program that sleeps. Fails when a process is left behind, when a template that has CUDA or a
//! thread or a module of the program's serves, when it keeps an interpreter's memory for nothing, or when a start waits
//! for what will not answer.

use forkguard_testkit::{Outcome, python_with_packages};

fn ends(moment: &str) -> Outcome {
    let outcome = python_with_packages("exec_template_ends.py")
        .arg(moment)
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .with_events()
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&[&format!("{moment} ok")]);
    outcome
}

fn way(outcome: &Outcome) -> String {
    let events = outcome.events();
    let mut rewritten = events.iter().filter(|event| event["event"] == "rewritten");
    let way = rewritten.next().expect("one worker")["way"].clone();
    way.as_str().expect("a word").to_owned()
}

#[test]
fn starting() {
    ends("starting");
}

#[test]
fn importing() {
    ends("importing");
}

#[test]
fn waiting() {
    assert_eq!(way(&ends("waiting")), "template");
}

#[test]
fn an_import_initialises_cuda() {
    assert_eq!(way(&ends("cuda")), "exec");
}

#[test]
fn an_import_leaves_a_thread() {
    assert_eq!(way(&ends("thread")), "exec");
}

/// Said once, where the user wants to hear of such things.
#[test]
fn why_is_told() {
    let outcome = python_with_packages("exec_template_ends.py")
        .arg("thread")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .env("FORKGUARD_VERBOSE", "1")
        .run();
    outcome.assert_says(
        "forkguard: workers are executed and not copied from a warm template: importing what the \
         program imported starts threads\n",
    );
}

#[test]
fn an_import_leaves_a_process() {
    assert_eq!(way(&ends("process")), "exec");
}

/// It has the template's files, and its socket among them, on which nobody answers.
#[test]
fn an_import_leaves_a_copy_of_the_template() {
    assert_eq!(way(&ends("forked")), "exec");
}

#[test]
fn a_library_imports_a_module_of_the_program() {
    assert_eq!(way(&ends("own")), "exec");
}
