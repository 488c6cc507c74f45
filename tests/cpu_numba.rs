//! numba.cuda in a forked child in which CUDA is absent, with the real numba-cuda: it is not available, and whatever
//! needs it raises `CudaSupportError` with the reason and the parent's pid. Fails when numba's own words for a fork come
//! back, or a finalizer of an inherited array complains. `scripts/setup` installs it.

use forkguard_testkit::{Outcome, python_with_packages};

/// Also where C code forks, as uWSGI's does, and no handler of the interpreter's runs.
#[test]
fn it_says_why() {
    for forks in [&[][..], &["c"]] {
        let program = python_with_packages("cpu_numba.py").args(forks);
        assert_says_why(&program.policy("cpu").run());
    }
}

#[track_caller]
fn assert_says_why(outcome: &Outcome) {
    outcome.assert_silent().assert_stdout(&[
        "parent [0 1 2 3]",
        "available False",
        "copy refused",
        "put refused",
        "detect refused",
        "list refused",
        "synchronize refused",
        "ended 0",
        "parent [0 1 2 3]",
    ]);
}
