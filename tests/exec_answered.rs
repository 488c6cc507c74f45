//! A fresh process runs nothing of the program's before the program's `fork` has answered. Fails when a worker has
//! worked though its start ended in an exception, when one is left behind by a program that was killed at that moment,
//! or when one that the program did start does not outlive it.

use forkguard_testkit::python_with_packages;

fn begins_with_the_answer(template: &str) {
    let outcome = python_with_packages("exec_answered.py")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", template)
        .run();
    outcome.assert_silent().assert_stdout(&[
        "forbidden: no answer",
        "killed: no answer",
        "ended: worked",
        "started: worked",
    ]);
}

#[test]
fn executed() {
    begins_with_the_answer("0");
}

#[test]
fn of_a_template() {
    begins_with_the_answer("1");
}
