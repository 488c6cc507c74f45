//! A child that destroys what it inherited, or exits and so runs inherited exit handlers and
//! destructors whatever they call, is answered as without the guard, in silence. Fails when the guard
//! kills such a child, speaks, or changes an answer or the exit status.

use forkguard_testkit::Program;

fn same(scenario: &str) {
    for road in ["dlsym", "gpa2"] {
        let program = Program::client("roads").args([road, scenario]);
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
    let program = Program::client("linked").arg(scenario);
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}

#[test]
fn destroying_inherited_objects() {
    same("child-teardown");
}

#[test]
fn exit_handlers_that_destroy() {
    same("child-exit");
}

/// `cuCtxSynchronize` is a use, but not in a process that is on its way out.
#[test]
fn destructors_that_synchronise() {
    same("child-exit-use");
}
