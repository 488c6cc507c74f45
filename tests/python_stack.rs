//! The Python stack in the `initialised` event is the one that Python itself tells at that very call, for every
//! scenario of tests/clients/pystack.py: threads, generators, coroutines, deep recursion, odd file names, exit,
//! each with the GIL held and released. Fails when a frame, a line or a name differs, or is missing.
//! `scripts/pystack-matrix` does the work, here for the tests' Python; by itself it runs on every Python it finds.

use std::path::Path;
use std::time::Duration;

use forkguard_testkit::{Program, driver_dir, library};

#[test]
fn every_scenario() {
    let python = forkguard_testkit::interpreter();
    let matrix = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pystack-matrix");
    Program::at(matrix)
        .bare()
        .args([
            "--driver".as_ref(),
            driver_dir(),
            "--library".as_ref(),
            library().as_path(),
        ])
        .arg(python)
        .patience(Duration::from_secs(300))
        .run()
        .assert_code(0);
}
