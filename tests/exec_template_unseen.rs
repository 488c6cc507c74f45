//! A program cannot tell that it has a warm template: no wait finds it or sleeps for it, no SIGCHLD comes of it, no
//! file is open for it. Fails when a wait answers its pid, hangs, or does not find the program's own children.

use forkguard_testkit::python_with_packages;

fn unseen(what: &str) {
    let outcome = python_with_packages("exec_template_unseen.py")
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
