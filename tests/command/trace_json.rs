//! `forkguard trace --json -o FILE` writes one JSON object with all that the text says, and nothing on standard error.
//! Would fail if a field were missing or another one's, or if it went elsewhere.

use forkguard_testkit::tempfile;
use serde_json::Value;

use crate::watching::{forkguard, of_python};

#[test]
fn everything_the_text_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.json");
    let command = forkguard("trace").arg("--json").arg("-o").arg(&file);
    let outcome = of_python(command, &["app.py", "context"]).run();
    outcome.assert_silent();
    let story: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(story["schema"], 1);
    assert_eq!(story["code"], 0);
    assert_eq!(story["signal"], Value::Null);
    assert_eq!(story["guarded"], true);
    assert_eq!(story["first"], story["pid"]);
    let [process] = &story["processes"].as_array().unwrap()[..] else {
        panic!("one process: {story}");
    };
    assert_eq!(process["pid"], story["pid"]);
    let initialised = &process["initialised"];
    assert_eq!(initialised["function"], "cuInit");
    assert_eq!(initialised["place"], "pkg/gpu.py:15");
    let chain = ["app.py:4", "pkg/__init__.py:2", "pkg/gpu.py:15"];
    assert_eq!(initialised["imports"], Value::from(chain.to_vec()));
    assert!(initialised["since_start_ms"].is_u64());
    assert!(
        initialised["python"]
            .as_array()
            .is_some_and(|it| it.len() > 3)
    );
    assert_eq!(process["context"]["function"], "cuDevicePrimaryCtxRetain");
    assert_eq!(process["attempted"], Value::Null);
    assert_eq!(process["used_after_fork"], Value::Null);
}

#[test]
fn an_attempt_has_its_code() {
    let outcome = of_python(forkguard("trace").arg("--json"), &["later.py", "itself"])
        .env("FAKE_CUDA_INIT_RESULT", "100")
        .run();
    let story: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(story["first"], Value::Null);
    let attempt = &story["processes"][0]["attempted"];
    assert_eq!(attempt["code"], 100);
    assert_eq!(attempt["result"], "CUDA_ERROR_NO_DEVICE");
    assert_eq!(attempt["place"], "later.py:14");
}

#[test]
fn a_file_that_cannot_be_written_is_said_before_anything_runs() {
    let command = forkguard("trace").args(["-o", "/no/such/folder/story"]);
    let outcome = of_python(command, &["later.py", "nobody"]).run();
    outcome
        .assert_code(125)
        .assert_stdout(&[])
        .assert_says("forkguard: /no/such/folder/story cannot be written to: no such file");
}
