//! A program that loads libpython locally has Python stacks while Python runs, and none before, after, or from a
//! thread whose Python state the ending interpreter has freed. Fails when the interpreter is looked for by name
//! only, or when what it has freed is read: then there are frames of nothing, or the program dies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use forkguard_testkit::{Outcome, Program};
use serde_json::{Value, json};

const START_THREAD: &str = "
import threading
threading.Thread(target=wait_then_init, daemon=True).start()
";

const NONE: [Value; 0] = [];

/// The client, built once: it needs nothing but its source.
fn client() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/pystack_embed.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pystack_embed");
        let built = Command::new("gcc")
            .args([
                "-g",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pthread",
                "-rdynamic",
                "-o",
            ])
            .args([&program, &source])
            .status()
            .expect("gcc can be run");
        assert!(built.success(), "{} could not be built", source.display());
        program
    })
}

/// The shared library of the tests' Python, and where its modules are.
fn libpython() -> (String, String) {
    const ASK: &str = "
import glob, os, sys, sysconfig
names = [os.path.join(sysconfig.get_config_var(folder) or '', sysconfig.get_config_var('INSTSONAME') or '')
         for folder in ('LIBDIR', 'LIBPL')]
names += glob.glob('/usr/lib/*/libpython%d.%d.so.1.0' % sys.version_info[:2])
print(next((name for name in names if name.find('.so') > 0 and os.path.isfile(name)), ''))
print(sys.base_prefix)
";
    let python = std::env::var_os("FORKGUARD_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let answer = Command::new(&python)
        .args(["-c", ASK])
        .output()
        .expect("Python can be run");
    let answer = String::from_utf8(answer.stdout).expect("paths are text");
    let (library, home) = answer.trim_end().split_once('\n').expect("two lines");
    assert!(
        !library.is_empty(),
        "{} has no libpython: name a Python that has one in FORKGUARD_TEST_PYTHON",
        python.display()
    );
    (library.to_owned(), home.to_owned())
}

/// Runs the client; gives the Python stack of its initialisation, each frame as file, line and function.
fn python_stack(when: &str, script: &str) -> Vec<Value> {
    let (library, home) = libpython();
    let outcome: Outcome = Program::at(client())
        .args([library.as_str(), when, script])
        .env("PYTHONHOME", home)
        .env("FORKGUARD_VERBOSE", "1")
        .with_events()
        .run();
    outcome.assert_code(0).assert_stdout(&["ended"]);
    let events = outcome.events();
    let initialised: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "initialised")
        .collect();
    assert_eq!(
        initialised.len(),
        1,
        "initialised once\n{}",
        outcome.story()
    );
    let frames = initialised[0]["initialised"]["python"]
        .as_array()
        .expect("a list of frames");
    frames
        .iter()
        .map(|frame| json!([frame["file"], frame["line"], frame["function"]]))
        .collect()
}

#[test]
fn no_frames_before_python_is_there() {
    assert_eq!(python_stack("before", "pass"), NONE);
}

#[test]
fn frames_of_the_script() {
    let script = "def start():\n    init_driver()\nstart()";
    assert_eq!(
        python_stack("script", script),
        [
            json!(["<string>", 3, "<module>"]),
            json!(["<string>", 2, "start"])
        ]
    );
}

#[test]
fn no_frames_after_python_has_ended() {
    assert_eq!(python_stack("after", "pass"), NONE);
}

#[test]
fn no_frames_of_a_freed_thread_while_python_ends() {
    let script = format!(
        "{START_THREAD}
class Last:
    def __del__(self, go=let_thread_go):
        go()
last = Last()
"
    );
    assert_eq!(python_stack("during", &script), NONE);
}

#[test]
fn no_frames_of_a_thread_that_python_left() {
    assert_eq!(python_stack("left", START_THREAD), NONE);
}
