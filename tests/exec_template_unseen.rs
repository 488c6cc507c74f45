//! A program cannot tell that it has a warm template: no wait finds it or sleeps for it, no SIGCHLD comes of it, no
//! file is open for it, and no other process is taken for it. Fails when a wait answers its pid, hangs, or does not find
//! the program's own children, or when a process that has its pid later is killed.

use forkguard_testkit::{Program, python_with_packages};

fn unseen(what: &str) {
    judge(what, python_with_packages("exec_template_unseen.py"));
}

fn judge(what: &str, program: Program) {
    let outcome = program
        .arg(what)
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .with_events()
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&[&format!("{what} ok")]);
    let events = outcome.events();
    let mut rewritten = events
        .iter()
        .filter(|event| event["event"] == "rewritten")
        .peekable();
    assert!(rewritten.peek().is_some(), "{}", outcome.story());
    assert!(
        rewritten.all(|event| event["way"] == "template"),
        "{}",
        outcome.story()
    );
}

macro_rules! pieces {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            unseen(stringify!($name));
        }
    )*};
}

pieces!(
    no_child no_child_of_a_thread other_children sleeping_thread ignored no_signal no_file no_active_child
    other_program
);

/// In a pid namespace, where a process's pid can be chosen.
#[test]
fn process_of_the_same_pid() {
    let program = python_with_packages("exec_template_unseen.py").alone();
    judge("process_of_the_same_pid", program);
}
