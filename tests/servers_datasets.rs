//! Hugging Face's datasets itself: a `map` with two processes after numba counted the GPUs. Fails when the report does
//! not name the mapped function's line or datasets' own way out, when `exec`, `cpu` or `revive` do not map, or when a
//! word is said of a function that leaves CUDA alone. `scripts/setup` installs it.

use forkguard_testkit::{Program, python_with_packages};
use std::time::Duration;

fn datasets(function: &str) -> Program {
    python_with_packages("server_datasets.py")
        .arg(function)
        .patience(Duration::from_secs(180))
}

const WITH_CUDA: &str = "['0 with CUDA', '3 with CUDA', '6 with CUDA', '9 with CUDA']";

#[test]
fn the_report_names_the_functions_line_and_the_way_out() {
    let outcome = datasets("cuda").run();
    outcome
        .assert_code(0)
        .assert_reports("cuCtxGetCurrent")
        .assert_blames("server_datasets.py")
        .assert_explains("only asks numba about the GPU")
        .assert_explains("multiprocess.set_start_method(\"spawn\") first");
    assert!(
        outcome.stdout.contains("abruptly died"),
        "{}",
        outcome.story()
    );
}

#[test]
fn fresh_processes_have_cuda() {
    let outcome = datasets("cuda").policy("exec,abort").with_events().run();
    outcome.assert_silent().assert_stdout(&[WITH_CUDA]);
    assert!(
        !outcome.events_named("rewritten").is_empty(),
        "{}",
        outcome.story()
    );
}

#[test]
fn the_function_computes_without_cuda() {
    let outcome = datasets("cuda").policy("cpu,abort").run();
    let mapped = WITH_CUDA.replace("with", "without");
    outcome.assert_silent().assert_stdout(&[&mapped]);
}

#[test]
fn processes_have_a_driver_of_their_own() {
    let outcome = datasets("cuda")
        .policy("revive,abort")
        .with_devices("")
        .run();
    outcome.assert_silent().assert_stdout(&[WITH_CUDA]);
}

#[test]
fn a_function_that_leaves_cuda_alone() {
    let bare = datasets("plain").bare().run();
    bare.assert_silent()
        .assert_stdout(&["['0', '3', '6', '9']"]);
    for policy in ["abort", "exec,revive,cpu"] {
        datasets("plain").policy(policy).run().assert_same_as(&bare);
    }
}
