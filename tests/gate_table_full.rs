//! A driver with more functions than the table has slots: all of them work, guarded or not, and one notice says so.
//! Fails when a function without a slot is lost or answers for another, or when each of them says a line.

use forkguard_testkit::Program;
use forkguard_testkit::tempfile::tempdir;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// More than the 2,048 slots, of which some hundreds are kept for the driver's known names.
const FUNCTIONS: usize = 2600;

const CLIENT: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    if (!driver) { puts(dlerror()); return 1; }
    long wrong = 0, called = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < COUNT; i++) {
            char name[32];
            snprintf(name, sizeof name, "cuFunction%d", i);
            int (*function)(int) = (int (*)(int))dlsym(driver, name);
            called++;
            wrong += !function || function(round) != i + round;
        }
    printf("%ld called, %ld wrong\n", called, wrong);
    return 0;
}
"#;

fn compile(arguments: &[&str], source: &Path, output: &Path) {
    let result = Command::new("gcc")
        .args(["-O1", "-Wall", "-Werror", "-o"])
        .args([output, source])
        .args(arguments)
        .output()
        .expect("gcc can be run");
    assert!(
        result.status.success(),
        "{}",
        String::from_utf8_lossy(&result.stderr)
    );
}

#[test]
fn further_functions_work_unguarded() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut driver = String::new();
    for index in 0..FUNCTIONS {
        writeln!(
            driver,
            "int cuFunction{index}(int more) {{ return {index} + more; }}"
        )
        .expect("a string takes any text");
    }
    fs::write(path("driver.c"), driver).expect("the driver's source");
    fs::write(path("client.c"), CLIENT).expect("the client's source");
    compile(
        &["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"],
        &path("driver.c"),
        &path("libcuda.so.1"),
    );
    let count = format!("-DCOUNT={FUNCTIONS}");
    compile(&[&count, "-ldl"], &path("client.c"), &path("client"));

    let outcome = Program::at(path("client")).driver_in(folder.path()).run();
    outcome
        .assert_code(0)
        .assert_stdout(&[&format!("{} called, 0 wrong", 2 * FUNCTIONS)]);
    let said: Vec<&str> = outcome.stderr.lines().collect();
    assert!(
        matches!(said[..], [line] if line.contains("2048 driver functions is full")),
        "not one notice: {said:?}"
    );
}
