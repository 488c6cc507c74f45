//! Children of a process that initialised CUDA which do nothing wrong: they say and do what they do without the
//! guard. Fails on one word on standard error, one changed result, one changed exit status.

use forkguard_testkit::Program;

fn same(scenario: &str) {
    let program = Program::client("roads").args(["dlsym", scenario]);
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn a_child_without_cuda() {
    same("child-clean");
}

#[test]
fn a_child_that_asks_what_is_always_answered() {
    same("child-harmless");
}

#[test]
fn a_child_made_before_anybody_initialised() {
    same("late");
}

#[test]
fn a_child_after_a_failed_initialisation() {
    same("failed-init");
}

#[test]
fn a_program_that_never_loads_cuda() {
    let program =
        Program::at("/bin/sh").args(["-c", "echo $((6 * 7)); (exit 3); echo $?; exec true"]);
    let guarded = program.run();
    guarded.assert_stdout(&["42", "3"]).assert_silent();
    guarded.assert_same_as(&program.without_driver().bare().run());
}
