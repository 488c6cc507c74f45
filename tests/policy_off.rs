//! `off` intercepts nothing: a violation happens as without the guard, in silence. Fails when anything is said or
//! any pointer exchanged.

use forkguard_testkit::Program;

#[test]
fn a_violation_as_without_the_guard() {
    for scenario in [
        "use",
        "child-use",
        "child-teardown",
        "child-exit",
        "grandchild",
    ] {
        let program = Program::client("roads")
            .args(["dlsym", scenario])
            .policy("off");
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
    for client in ["linked", "cudart_static"] {
        let program = Program::client(client).arg("child-use").policy("off");
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
}
