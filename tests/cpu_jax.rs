//! JAX in a forked child in which CUDA is absent, with the real package on its CPU backend: operations, functions
//! compiled in the parent, gradients, random numbers, the parent's arrays and grandchildren work, and every child ends
//! by itself. Without the guard they wait for threads that are not there. Fails when JAX goes on with the parent's
//! client, its caches or its thread pools. `scripts/setup` installs it. (On a GPU: `scripts/gpu-check`.)

use forkguard_testkit::{Outcome, python_with_packages};
use std::time::Duration;

fn run(what: &str) -> Outcome {
    let outcome = python_with_packages("cpu_jax.py")
        .arg(what)
        .policy("cpu")
        .patience(Duration::from_secs(150))
        .run();
    outcome.assert_code(0);
    outcome
}

fn assert_prints(outcome: &Outcome, child: &[&str]) {
    let mut lines = vec!["parent 27000000 [1. 2. 3.] 4096"];
    lines.extend(child);
    lines.extend(["ended 0", "parent [1. 2. 3.]"]);
    outcome.assert_stdout(&lines);
}

#[test]
fn what_there_is_is_used() {
    let outcome = run("use");
    outcome.assert_silent();
    assert_prints(
        &outcome,
        &[
            "['cpu'] cpu",
            "made here 27000000",
            "compiled in the parent 27000000 [1. 2. 3.]",
            "parent's arrays 27000000 [1. 2. 3.] [1 2 3] True",
            "random True",
            "gradient [0. 2. 4.] [0 2 4]",
            "mapped [1]",
            "transformed 4096",
            "cuda: RuntimeError",
            "grandchild [2. 3. 4.] 8000000",
            "ended 0",
        ],
    );
}

#[test]
fn an_array_of_the_parents_comes_first() {
    let outcome = run("array");
    outcome.assert_silent();
    assert_prints(&outcome, &["[1 2 3]"]);
}

#[test]
fn an_array_that_was_being_computed_has_no_value() {
    let outcome = run("unfinished");
    assert_prints(&outcome, &["has no value", "others have [1. 2. 3.]"]);
    outcome.assert_says("still being computed when the parent process forked");
}

#[test]
fn a_child_that_leaves_jax_alone_ends() {
    let outcome = run("unused");
    outcome.assert_silent();
    assert_prints(&outcome, &[]);
}
