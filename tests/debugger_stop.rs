//! A debugger can stop at `forkguard_violation`. Fails when the library does not export it.

use forkguard_testkit::library;
use std::process::Command;

#[test]
fn is_exported() {
    let symbols = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library())
        .output();
    let symbols = symbols.expect("nm is there wherever the clients could be linked");
    let symbols = String::from_utf8_lossy(&symbols.stdout);
    assert!(
        symbols
            .lines()
            .any(|line| line.ends_with(" T forkguard_violation"))
    );
}
