//! XLA's plugin (JAX): an operation in a forked child would wait for ever without a driver call; it is
//! reported at once, by its PJRT name, and the policy acts. Reading the list of devices and freeing an
//! inherited array pass in silence, and so does whatever is done with a plugin for another device.
//! Fails when the plugin's table is given out unguarded, or damaged, or judged too broadly.

use forkguard_testkit::Program;

const STARTED: [&str; 2] = ["create well", "execute well"];
const PASSED: [&str; 2] = ["child devices well", "child destroy well"];

fn program(what: &str) -> Program {
    Program::client("pjrt").args(["libxla_cuda_like.so", what])
}

fn lines(last: &[&'static str]) -> Vec<&'static str> {
    STARTED
        .into_iter()
        .chain(PASSED)
        .chain(last.iter().copied())
        .collect()
}

#[test]
fn the_parent_alone() {
    program("use").run().assert_silent().assert_stdout(&STARTED);
}

#[test]
fn a_child_that_only_reads() {
    let guarded = program("child-clean").run();
    guarded
        .assert_silent()
        .assert_stdout(&lines(&["child exited 3", "execute well"]));
    guarded.assert_same_as(&program("child-clean").bare().run());
}

#[test]
fn an_operation_is_aborted() {
    let outcome = program("child-use").run();
    outcome.assert_stdout(&lines(&["child killed by signal 6", "execute well"]));
    outcome.assert_reports("PJRT_LoadedExecutable_Execute");
}

/// Signal 14 is the child's own alarm: it hangs, as it does without the guard.
#[test]
fn an_operation_is_warned_of_and_hangs() {
    let guarded = program("child-use").policy("warn").run();
    guarded.assert_stdout(&lines(&["child killed by signal 14", "execute well"]));
    guarded.assert_reports("PJRT_LoadedExecutable_Execute");
    assert_eq!(guarded.stdout, program("child-use").bare().run().stdout);
}

#[test]
fn another_device_is_not_ours() {
    let program = Program::client("pjrt").args(["libxla_other_like.so", "child-use"]);
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}
