//! `forkguard doctor` says whether the guard is preloaded here, how often, and what else is.
//!
//! Would fail if a path that does not exist, which the loader only warns of, looked like a guard.

use forkguard_testkit::library;

use crate::doctors::{about, assert_found, copy_of_library, doctor};
use crate::programs::folder;

#[test]
fn a_guard_that_is_not_there() {
    let outcome = doctor().env("LD_PRELOAD", "/no/such/libforkguard.so").run();
    assert_found(
        &outcome,
        "preloaded",
        "problem",
        "LD_PRELOAD names /no/such/libforkguard.so, which is not there",
    );
}

#[test]
fn the_guard() {
    let library = library();
    let outcome = doctor().env("LD_PRELOAD", &library).run();
    assert_eq!(
        about(&outcome, "preloaded"),
        [format!(
            "ok: the guard, {}, by LD_PRELOAD",
            library.display()
        )]
    );
}

#[test]
fn another_guard_and_two() {
    let folder = folder();
    let copy = copy_of_library(folder.path());
    let outcome = doctor().env("LD_PRELOAD", &copy).run();
    assert_found(
        &outcome,
        "preloaded",
        "warning",
        "is not the one that came with",
    );
    let both = std::env::join_paths([library(), copy]).unwrap();
    let outcome = doctor().env("LD_PRELOAD", both).run();
    assert_found(&outcome, "preloaded", "problem", "two guards are preloaded");
}

#[test]
fn other_libraries() {
    let outcome = doctor()
        .env(
            "LD_PRELOAD",
            "libjemalloc.so.2:/no/libnvshare.so /no/libother.so",
        )
        .env("CUDA_INJECTION64_PATH", "/opt/profiler.so")
        .run();
    assert_found(&outcome, "preloaded", "ok", "jemalloc, libjemalloc.so.2");
    assert_found(
        &outcome,
        "preloaded",
        "warning",
        "nvshare, /no/libnvshare.so, hands out",
    );
    assert_found(
        &outcome,
        "preloaded",
        "warning",
        "object '/no/libother.so' from LD_PRELOAD",
    );
    assert_found(&outcome, "injected", "warning", "/opt/profiler.so");
}
