//! The example in `include/forkguard.h` is a whole program that compiles as C and as C++, without a warning, and does
//! what is said there, guarded and not. Fails when the example and the header part ways. Takes a compiler.

use forkguard_testkit::tempfile::{TempDir, tempdir};
use forkguard_testkit::{Outcome, Program, driver_dir};
use std::fs;
use std::path::Path;
use std::process::Command;

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");

/// The lines of the header's first comment that are indented further than its prose.
fn example() -> String {
    let header = fs::read_to_string(Path::new(INCLUDE).join("forkguard.h")).expect("the header");
    let (comment, _) = header.split_once("*/").expect("a comment");
    let lines = comment.lines().filter_map(|line| match line {
        " *" => Some(""),
        line => line.strip_prefix(" *     "),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn build(compiler: &str, language: &[&str]) -> TempDir {
    let folder = tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let declared = "#ifdef __cplusplus\nextern \"C\"\n#endif\nint cuInit(unsigned flags);\n";
    fs::write(place("cuda.h"), declared).expect("a file");
    fs::write(place("example.c"), example()).expect("a file");
    let built = Command::new(compiler)
        .args(language)
        .args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-I",
            INCLUDE,
            "-I",
        ])
        .arg(folder.path())
        .arg(place("example.c"))
        .args(["-x", "none", "-o"])
        .arg(place("example"))
        .arg("-L")
        .arg(driver_dir())
        .args(["-lcuda", "-ldl"])
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}\n{}", example());
    folder
}

fn run(folder: &TempDir, policy: &str) -> Outcome {
    Program::at(folder.path().join("example"))
        .policy(policy)
        .run()
}

#[test]
fn it_does_what_is_said() {
    for (compiler, language) in [
        ("gcc", &["-std=gnu99"][..]),
        ("g++", &["-std=gnu++11", "-x", "c++"][..]),
    ] {
        let folder = build(compiler, language);
        let outcome = run(&folder, "exec,abort");
        let workers = [
            "worker 0 of 4 bytes: cuInit 0",
            "worker 1 of 4 bytes: cuInit 0",
        ];
        outcome.assert_silent().assert_stdout(&workers);
        let outcome = run(&folder, "warn");
        let workers = [
            "worker 0 of 4 bytes: cuInit 3",
            "worker 1 of 4 bytes: cuInit 3",
        ];
        outcome.assert_stdout(&workers).assert_reports("cuInit");
    }
}
