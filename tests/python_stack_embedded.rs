//! A program that loads libpython locally has Python stacks while Python runs, and none before, after, or from a
//! thread whose Python state the ending interpreter has freed. Fails when the interpreter is looked for by name
//! only, or when what it has freed is read: then there are frames of nothing, or the program dies.

use forkguard_testkit::embedded_python;
use serde_json::{Value, json};

const START_THREAD: &str = "
import threading
threading.Thread(target=wait_then_init, daemon=True).start()
";

const NONE: [Value; 0] = [];

/// Runs the client; gives the Python stack of its initialisation, each frame as file, line and function.
fn python_stack(when: &str, script: &str) -> Vec<Value> {
    let outcome = embedded_python(when, script)
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
