//! Events carry the program's arguments where `FORKGUARD_REPORT_ARGV=1` asks for them, and as it was started with them,
//! whatever it shows in their place later. Fails when they are told without being asked for, when they are a title of the
//! program's own, or when endless ones make an event that is not JSON or too long for a collector.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program};
use serde_json::{Value, json};
use std::fs;

/// Uses CUDA in a forked process.
const PLAIN: &str = "
import ctypes, os
cuda = ctypes.CDLL('libcuda.so.1')
cuda.cuInit(0)
if os.fork() == 0:
    cuda.cuInit(0)
    os._exit(0)
os.wait()
";

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let program = Program::at(forkguard_testkit::interpreter())
        .args(["-c", PLAIN])
        .args(arguments);
    settings
        .iter()
        .fold(program.with_events(), |program, (name, value)| {
            program.env(name, value)
        })
        .run()
}

/// The `argv` of all events, which is the same in each.
fn argv(outcome: &Outcome) -> (Value, Value) {
    let events = outcome.events();
    assert_eq!(events.len(), 2, "{}", outcome.story());
    let of = |event: &Value| (event["argv"].clone(), event["argv_cut"].clone());
    assert_eq!(of(&events[0]), of(&events[1]));
    of(&events[0])
}

#[test]
fn only_where_it_is_asked_for() {
    assert_eq!(
        argv(&run(&["tell-nobody"], &[])),
        (Value::Null, Value::Null)
    );
    let asked = [("FORKGUARD_REPORT_ARGV", "1")];
    let (argv, cut) = argv(&run(&["two words", ""], &asked));
    // What stands before may be a wrapper's choice.
    assert_eq!(
        argv.as_array().expect("an array")[1..],
        ["-c", PLAIN, "two words", ""]
    );
    assert_eq!(cut, json!(false));
}

#[test]
fn the_file_may_ask_and_may_forbid() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("forkguard.conf");
    let path = file.to_str().expect("text");
    fs::write(&file, "FORKGUARD_REPORT_ARGV=1\n").expect("a file");
    assert_eq!(
        argv(&run(&["x"], &[("FORKGUARD_CONFIG", path)])).1,
        json!(false)
    );
    fs::write(&file, "!FORKGUARD_REPORT_ARGV=0\n").expect("a file");
    let both = [("FORKGUARD_CONFIG", path), ("FORKGUARD_REPORT_ARGV", "1")];
    assert_eq!(argv(&run(&["x"], &both)).0, Value::Null);
}

#[test]
fn of_endless_ones_the_beginning() {
    let huge = "\u{1}é".repeat(30_000);
    let many = vec!["x"; 20_000];
    for arguments in [vec![&*huge], many] {
        let (argv, cut) = argv(&run(&arguments, &[("FORKGUARD_REPORT_ARGV", "1")]));
        assert_eq!(cut, json!(true));
        let argv = argv.as_array().expect("an array");
        assert_eq!(argv[1], "-c");
        let bytes: usize = argv
            .iter()
            .map(|one| one.as_str().expect("text").len())
            .sum();
        assert!((2000..9000).contains(&bytes), "{bytes} bytes");
    }
}

/// Writes a title over its arguments, as servers do, then uses CUDA in a forked process.
const TITLED: &str = "
import ctypes, os
name = ctypes.c_char_p.in_dll(ctypes.CDLL(None), 'program_invocation_name')
title = b'server: --token=told-nobody'
ctypes.memmove(ctypes.cast(name, ctypes.c_void_p).value, title + b'\\0', len(title) + 1)
cuda = ctypes.CDLL('libcuda.so.1')
cuda.cuInit(0)
if os.fork() == 0:
    cuda.cuInit(0)
    os._exit(0)
os.wait()
";

#[test]
fn a_title_is_no_argument() {
    let program = Program::at(forkguard_testkit::interpreter())
        .args(["-c", TITLED])
        .with_events();
    for asked in ["0", "1"] {
        let outcome = program.clone().env("FORKGUARD_REPORT_ARGV", asked).run();
        assert_eq!(outcome.events().len(), 2, "{}", outcome.story());
        for event in outcome.events() {
            let argv0 = event["argv0"].as_str().expect("text");
            assert!(argv0.contains("python"), "{event}");
            if asked == "1" {
                assert_eq!(event["argv"][1], "-c");
            } else {
                assert!(!event.to_string().contains("told-nobody"), "{event}");
            }
        }
    }
}
