//! The decoder's functions in a forked child: decoding is use and is reported by its own name, destroying what the
//! parent made is teardown and passes in silence. Fails when libnvcuvid is not guarded, or when its own lookups in
//! libcuda are answered with stubs (it aborts then).

use forkguard_testkit::Program;

const BEFORE: [&str; 3] = ["before init: create 3", "init 0", "create 0 decode 0"];

fn lines<'a>(after: &[&'a str]) -> Vec<&'a str> {
    BEFORE.iter().chain(after).copied().collect()
}

#[test]
fn decoding_is_reported() {
    let outcome = Program::client("cuvid").arg("child-use").run();
    outcome.assert_stdout(&lines(&["child killed by signal 6", "parent decode 0"]));
    outcome.assert_reports("cuvidDecodePicture");
}

#[test]
fn destroying_is_silent() {
    let outcome = Program::client("cuvid").arg("child-teardown").run();
    outcome.assert_stdout(&lines(&[
        "child destroy 3",
        "child exited 3",
        "parent decode 0",
    ]));
    outcome.assert_silent();
}

#[test]
fn a_child_without_cuda_is_silent() {
    let program = Program::client("cuvid").arg("child-clean");
    program
        .run()
        .assert_silent()
        .assert_same_as(&program.bare().run());
}
