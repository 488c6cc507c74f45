//! XLA's plugin (JAX): an operation in a forked child would wait for ever without a driver call; it is reported at
//! once, by its PJRT name, and the policy acts. Reading the list of devices and freeing an inherited array pass in
//! silence. Fails when the plugin's table is given out unguarded, or damaged, or judged too broadly.

use forkguard_testkit::Program;

const STARTED: [&str; 2] = ["create well", "execute well"];
const PASSED: [&str; 2] = ["child devices well", "child destroy well"];

fn lines(last: &[&'static str]) -> Vec<&'static str> {
    STARTED
        .into_iter()
        .chain(PASSED)
        .chain(last.iter().copied())
        .collect()
}

#[test]
fn the_parent_alone() {
    let program = Program::client("pjrt").arg("use");
    program.run().assert_silent().assert_stdout(&STARTED);
}

#[test]
fn a_child_that_only_reads() {
    let program = Program::client("pjrt").arg("child-clean");
    let guarded = program.run();
    guarded
        .assert_silent()
        .assert_stdout(&lines(&["child exited 3", "execute well"]));
    guarded.assert_same_as(&program.bare().run());
}

#[test]
fn an_operation_is_aborted() {
    let outcome = Program::client("pjrt").arg("child-use").run();
    outcome.assert_stdout(&lines(&["child killed by signal 6", "execute well"]));
    outcome.assert_reports("PJRT_LoadedExecutable_Execute");
}

/// Signal 14 is the child's own alarm: it hangs, as it does without the guard.
#[test]
fn an_operation_is_warned_of_and_hangs() {
    let program = Program::client("pjrt").arg("child-use").policy("warn");
    let guarded = program.run();
    guarded.assert_stdout(&lines(&["child killed by signal 14", "execute well"]));
    guarded.assert_reports("PJRT_LoadedExecutable_Execute");
    assert_eq!(guarded.stdout, program.bare().run().stdout);
}
