//! What is in the GPU's memory crosses to a worker that is seen to use it, whole and once; a worker that does not use it
//! does not initialise CUDA for its sake, and a use that could not be foreseen says so. Fails when a CPU-only worker is
//! made to initialise CUDA, or when a worker lacks what it names.

use forkguard_testkit::python_with_packages;

fn saw(what: &str, expected: &str) {
    let outcome = python_with_packages("exec_gpu_memory.py")
        .arg(what)
        .policy("exec,abort")
        .run();
    outcome.assert_silent().assert_stdout(&[expected]);
}

#[test]
fn a_global_that_the_worker_names() {
    saw("used", "((7, True), [0], 0)");
}

#[test]
fn an_argument() {
    saw("argument", "(7, [0], 0)");
}

#[test]
fn an_argument_that_is_a_global_too() {
    saw("both", "((7, True), [0], 0)");
}

#[test]
fn a_worker_that_does_not_use_it() {
    saw("unused", "('nothing', [], 0)");
}

#[test]
fn a_use_that_could_not_be_foreseen() {
    saw("hidden", "(True, [], 0)");
}

#[test]
fn the_tasks_of_a_pool() {
    saw("task", "[(8, 1, 0), (9, 1, 0)]");
    saw("no_task", "[(1, 0, 0), (2, 0, 0)]");
}
