//! A forked child's use of CUDA is seen by whatever road the program came to the driver: the child is aborted with
//! a report that names the function, the parent works on. Fails when a road goes around the gate (nvshare#11: `_v2`
//! of a name was not hooked), or when the parent is harmed.

use forkguard_testkit::{Program, roads, versioned_driver_dir};

fn seen(program: &Program) {
    let outcome = program.run();
    let lines: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| !line.starts_with("names asked"))
        .collect();
    assert_eq!(
        lines,
        ["child killed by signal 6", "parent count 0"],
        "{}",
        outcome.story()
    );
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    outcome
        .assert_says("aborting pid")
        .assert_says("(policy abort)");
}

fn seen_by(road: &str) {
    seen(&Program::client("roads").args([road, "child-use"]));
}

roads!(seen_by);

#[test]
fn by_dlvsym() {
    let program = Program::client("roads").args(["dlvsym", "child-use"]);
    seen(&program.driver_in(versioned_driver_dir()));
}

#[test]
fn by_linking() {
    seen(&Program::client("linked").arg("child-use"));
}

#[test]
fn by_a_plugin_that_is_linked() {
    for scope in ["local", "global"] {
        seen(&Program::client("host").args([scope, "liblinked.so", "child-use"]));
    }
}

#[test]
fn by_the_runtime_as_a_library() {
    seen(&Program::client("cudart_shared").arg("child-use"));
}

#[test]
fn by_the_runtime_linked_in() {
    seen(&Program::client("cudart_static").arg("child-use"));
}
