//! `FORKGUARD_VERBOSE`: 1 says the first initialisation, 2 also the first use of each driver function; by default a
//! clean program's run is silent (the other tests). Fails when a level says less, or the same thing twice.

use forkguard_testkit::Program;

fn lines(level: &str, with: &str) -> usize {
    let outcome = Program::client("roads")
        .args(["dlsym", "use"])
        .env("FORKGUARD_VERBOSE", level)
        .run();
    outcome.assert_code(0);
    assert!(
        outcome
            .stderr
            .lines()
            .all(|line| line.starts_with("forkguard: ")),
        "{}",
        outcome.story()
    );
    outcome
        .stderr
        .lines()
        .filter(|line| line.contains(with))
        .count()
}

#[test]
fn one_says_the_initialisation() {
    assert_eq!(lines("1", "initialised CUDA"), 1);
    assert_eq!(lines("1", "cuMemAlloc_v2"), 0);
}

#[test]
fn two_says_each_function_once() {
    assert_eq!(lines("2", "initialised CUDA"), 1);
    for function in ["cuMemAlloc_v2", "cuLaunchKernel", "cuDeviceGetCount"] {
        assert_eq!(lines("2", function), 1, "{function}");
    }
}
