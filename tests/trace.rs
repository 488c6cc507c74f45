//! What the file named by `FORKGUARD_TRACE` is told: everything, with `loaded`, `attempted` and `context`, whatever the
//! settings are; and that the program and standard error are told nothing. Fails when an event is missing or tells
//! of another moment, when a setting silences the trace, or when tracing changes what a program does.

use forkguard_testkit::{Outcome, Program, tempfile};
use serde_json::Value;

/// Runs it with a trace and without the guard, which may not differ; gives its events but for `loaded`.
fn traced(program: &Program) -> (Outcome, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let outcome = program.clone().env("FORKGUARD_TRACE", &file).run();
    outcome.assert_same_as(&program.clone().bare().run());
    let text = std::fs::read_to_string(&file).expect("the guard wrote to the trace");
    let mut events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "loaded", "{text}");
    events.retain(|event| event["event"] != "loaded");
    (outcome, events)
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

#[test]
fn off_watches_without_a_word() {
    let program = Program::client("roads").args(["dlsym", "child-use"]);
    let (_, events) = traced(&program.policy("off").env("FORKGUARD_REPORT", "stderr"));
    assert_eq!(names(&events), ["initialised", "context", "violation"]);
    let [initialised, context, violation] = &events[..] else {
        unreachable!("three, as just seen");
    };
    assert_eq!(initialised["function"], "cuInit");
    assert_eq!(context["function"], "cuDevicePrimaryCtxRetain");
    assert_eq!(context["used"]["function"], "cuDevicePrimaryCtxRetain");
    assert_eq!(context["pid"], initialised["pid"]);
    assert_eq!(context["initialised"]["function"], "cuInit");
    assert_eq!(violation["policy"], "off");
    assert_eq!(violation["action"], "none");
    assert_eq!(violation["ppid"], initialised["pid"]);
}

#[test]
fn a_failing_init_is_an_attempt_once_a_process() {
    let program = Program::client("roads").args(["dlsym", "failed-init"]);
    let (_, events) = traced(&program);
    assert_eq!(names(&events), ["attempted", "initialised", "context"]);
    assert_ne!(events[0]["code"], 0);
    assert_eq!(events[0]["initialised"], Value::Null);
    assert_eq!(events[0]["used"]["function"], "cuInit");
    assert_ne!(events[0]["pid"], events[1]["pid"]);
}

#[test]
fn asking_makes_no_context() {
    let program = Program::client("roads").args(["dlsym", "init"]);
    let (_, events) = traced(&program);
    assert_eq!(names(&events), ["initialised"]);
}

#[test]
fn a_program_without_cuda_is_only_loaded() {
    let (_, events) = traced(&Program::at("true"));
    assert_eq!(names(&events), Vec::<&str>::new());
}

#[test]
fn of_a_deep_chain_of_imports_all_modules_are_told() {
    // 30 modules, each of which imports the next: some 180 frames.
    let folder = tempfile::tempdir().unwrap();
    for depth in 0..30 {
        let text = if depth == 29 {
            "import ctypes\nctypes.CDLL('libcuda.so.1').cuInit(0)\n".into()
        } else {
            format!("\nimport m{}\n", depth + 1)
        };
        std::fs::write(folder.path().join(format!("m{depth}.py")), text).unwrap();
    }
    let program = Program::at("python3")
        .args(["-B", "-c", "import m0"])
        .env("PYTHONPATH", folder.path());
    let (_, events) = traced(&program);
    let initialised = events
        .iter()
        .find(|event| event["event"] == "initialised")
        .expect("it calls cuInit");
    let files: Vec<&str> = initialised["initialised"]["python"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|frame| frame["file"].as_str()?.strip_suffix(".py"))
        .map(|file| file.rsplit('/').next().unwrap())
        .collect();
    let expected: Vec<String> = (0..30).map(|depth| format!("m{depth}")).collect();
    assert_eq!(files, expected);
}

#[test]
fn a_path_that_is_not_full_is_said() {
    Program::at("true")
        .env("FORKGUARD_TRACE", "here")
        .run()
        .assert_says("FORKGUARD_TRACE: \"here\" is no full path")
        .assert_code(0);
}
