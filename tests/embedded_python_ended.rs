//! A program that has ended its embedded Python and goes on is no ending program: the child that it forks is reported
//! as any other. Fails when an interpreter that was ended before the fork is taken for a process on its way out.

use forkguard_testkit::embedded_python;

#[test]
fn a_child_forked_after_python_has_ended() {
    let outcome = embedded_python("fork", "pass").policy("warn").run();
    outcome
        .assert_code(0)
        .assert_reports("cuInit")
        .assert_stdout(&["child exited 3", "ended"]);
}
