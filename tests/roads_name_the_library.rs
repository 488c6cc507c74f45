//! The report says through which library the driver was reached. Fails when the caller of the driver is taken for
//! the guard itself, or is lost.

use forkguard_testkit::{Program, client};

#[test]
fn a_plugin_is_named() {
    let program = Program::client("host")
        .arg("local")
        .arg(client("liblinked.so"))
        .arg("child-use");
    let outcome = program.run();
    let report = outcome.assert_reports("cuDeviceGetCount").report();
    for step in ["  1 initialised", " used here "] {
        let line = report
            .lines()
            .find(|line| line.contains(step))
            .expect("assert_reports saw it");
        assert!(
            line.contains("liblinked.so"),
            "{step} does not name the library\n{report}"
        );
    }
}
