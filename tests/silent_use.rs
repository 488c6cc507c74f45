//! A program that uses CUDA and does not fork says and does, by every road to the driver, what it says and does
//! without the guard. Fails when the guard changes an answer, an argument or a result, or says a word.

use forkguard_testkit::{Program, client, roads, versioned_driver_dir};

fn same(program: &Program) {
    let guarded = program.run();
    guarded
        .assert_silent()
        .assert_same_as(&program.clone().bare().run());
    assert!(
        guarded.stdout.ends_with("parent used the device\n"),
        "{}",
        guarded.story()
    );
}

fn same_by(road: &str) {
    same(&Program::client("roads").args([road, "use"]));
}

roads!(same_by);

#[test]
fn by_dlvsym() {
    same(
        &Program::client("roads")
            .args(["dlvsym", "use"])
            .driver_in(versioned_driver_dir()),
    );
}

#[test]
fn by_linking() {
    same(&Program::client("linked").arg("use"));
}

#[test]
fn by_a_plugin_that_is_linked() {
    let plugin = client("liblinked.so");
    same(&Program::client("host").arg("local").arg(&plugin).arg("use"));
    same(
        &Program::client("host")
            .arg("global")
            .arg(&plugin)
            .arg("use"),
    );
}

#[test]
fn by_the_runtime_as_a_library() {
    same(&Program::client("cudart_shared").arg("use"));
}

#[test]
fn by_the_runtime_linked_in() {
    same(&Program::client("cudart_static").arg("use"));
}

#[test]
fn by_the_decoder() {
    let program = Program::client("cuvid").arg("use");
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}
