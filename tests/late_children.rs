//! A child made before anybody initialised has CUDA of its own, even when the parent had called the driver (and was
//! refused) before the fork (HAMi-core#199: such workers skipped their own initialisation). Fails when "called" is
//! taken for "initialised".

use forkguard_testkit::Program;

#[test]
fn functions_called_before_the_fork() {
    for road in ["dlsym", "gpa2"] {
        let program = Program::client("roads").args([road, "late-loaded"]);
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
    let linked = Program::client("linked").arg("late-loaded");
    linked
        .run()
        .assert_silent()
        .assert_same_as(&linked.bare().run());
}
