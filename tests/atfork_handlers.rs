//! Busy fork handlers (libpwq#33) run as often and in the same order of things as without the guard, and the
//! violation behind them is still seen. Fails when the guard registers handlers while handlers run, or holds what
//! they need.

use forkguard_testkit::Program;

#[test]
fn a_clean_program() {
    let program = Program::client("atforks").arg("clean");
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn a_grandchild_that_uses_cuda() {
    let outcome = Program::client("atforks").arg("use").run();
    assert!(
        outcome.stdout.contains("grandchild killed by signal 6"),
        "{}",
        outcome.story()
    );
    assert!(
        outcome.report().contains("used here"),
        "{}",
        outcome.story()
    );
}
