//! Whatever a setting holds, the program goes on and is guarded: one line names the variable, or the line of the file, and
//! says what is in force. No byte of it reaches a terminal as more than a printable character. Fails when a bad value
//! stops a program, disarms the guard, is passed over in silence, or can move a cursor.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Every setting that is not simply a path.
const SETTINGS: [&str; 8] = [
    "FORKGUARD_POLICY",
    "FORKGUARD_VERBOSE",
    "FORKGUARD_EXIT_CODE",
    "FORKGUARD_IGNORE",
    "FORKGUARD_EXEC",
    "FORKGUARD_TEMPLATE",
    "FORKGUARD_REVIVE",
    "FORKGUARD_REPORT_ARGV",
];
/// Not text, a terminal's control sequence, another line, a number too large, a number below all, a quote.
const BAD: [&[u8]; 6] = [
    b"\xff\xfe(\xf0\x9f",
    b"\x1b]0;title\x07\x1b[31m(",
    b"1\n2(",
    b"99999999999999999999(",
    b"-1(",
    b"'(",
];

fn wrong_program() -> Program {
    Program::client("roads").args(["dlsym", "child-use"])
}

/// Goes on as by default, after one line with this text.
#[track_caller]
fn default_stands(outcome: &Outcome, named: &str) {
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    let said = outcome.stderr.lines().filter(|line| line.contains(named));
    assert_eq!(said.count(), 1, "{}", outcome.story());
    is_printable(outcome);
}

#[track_caller]
fn is_printable(outcome: &Outcome) {
    let odd = |c: char| c.is_control() && c != '\n' || c == char::REPLACEMENT_CHARACTER;
    assert!(!outcome.stderr.contains(odd), "{:?}", outcome.stderr);
}

#[test]
fn of_a_variable() {
    for setting in SETTINGS {
        for bad in BAD {
            // What is executed is looked at where it could come to it.
            let outcome = wrong_program().env(setting, OsStr::from_bytes(bad)).run();
            default_stands(&outcome, &format!("forkguard: {setting}: "));
        }
    }
}

#[test]
fn of_a_line_in_a_file() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("forkguard.conf");
    for setting in SETTINGS {
        // A line ends where it ends, and a quote has no second one.
        for bad in BAD.iter().filter(|bad| !bad.contains(&b'\n')) {
            let line = [b"# ours\n\n", setting.as_bytes(), b"=", bad, b"\n"].concat();
            fs::write(&file, line).expect("the file can be written");
            let outcome = wrong_program().env("FORKGUARD_CONFIG", &file).run();
            default_stands(&outcome, &format!("forkguard: {}:3: ", file.display()));
        }
    }
}

#[test]
fn of_a_path() {
    for (setting, path) in [
        ("FORKGUARD_REPORT", &b"/nowhere/\x1b[2J\n\xff/events"[..]),
        ("FORKGUARD_REPORT", b"/nowhere/\x1b[2J/events"),
        ("FORKGUARD_REPORT", b"text:/nowhere/\x1b[2J/events"),
        ("FORKGUARD_REPORT", b"fd:\x1b[2J"),
        ("FORKGUARD_REPORT", b"text:"),
        ("FORKGUARD_CONFIG", b"/nowhere/\x1b[2J\n\xff.conf"),
        ("FORKGUARD_TRACE", b"\x1b[2Jtrace"),
    ] {
        let outcome = wrong_program().env(setting, OsStr::from_bytes(path)).run();
        let named = if setting == "FORKGUARD_CONFIG" {
            "the configuration file"
        } else {
            setting
        };
        outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
        outcome.assert_code(0).assert_reports("cuDeviceGetCount");
        assert!(outcome.stderr.contains(named), "{}", outcome.story());
        is_printable(&outcome);
    }
}

/// A program whose code comes from elsewhere, with the names that it has there.
const NAMED: &str = r#"
import ctypes, os
driver = ctypes.CDLL("libcuda.so.1")
driver.cuInit(0)
names = {"driver": driver, "count": ctypes.byref(ctypes.c_int())}
exec(compile("def f():\n  driver.cuDeviceGetCount(count)", "/srv/\x1b[2J\x9b1m\r\x07\x1b[8m\nforkguard: all is well.py",
             "exec"), names)
if os.fork() == 0:
    names["f"]()
os.wait()
"#;

#[test]
fn of_a_name() {
    let interpreter = forkguard_testkit::interpreter();
    let outcome = Program::at(interpreter).args(["-c", NAMED]).run();
    outcome.assert_reports("cuDeviceGetCount");
    // Neither a colour nor a line of its own.
    let shown = "/srv/?[2J?1m???[8m?forkguard: all is well.py:2";
    assert!(outcome.stderr.contains(shown), "{}", outcome.story());
    is_printable(&outcome);
}
