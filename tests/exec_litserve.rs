//! `LitServe`'s server after CUDA was initialised, with the real package: its manager and its HTTP server are forks, and
//! the HTTP server unpickles what the inference worker made on the GPU. Fails when the server, with `FastAPI`'s app and
//! uvicorn's settings, does not cross into a fresh process. `scripts/setup` installs it.

use forkguard_testkit::python_with_packages;
use std::time::Duration;

#[test]
fn the_http_server_has_cuda_of_its_own() {
    let program = python_with_packages("exec_litserve.py").patience(Duration::from_secs(120));
    let bare = program.clone().bare().run();
    bare.assert_stdout(&[r#"{"numbers":[2,4,6],"cuInit":3}"#, "ended 0"]);
    let outcome = program.policy("exec,abort").with_events().run();
    outcome
        .assert_code(0)
        .assert_stdout(&[r#"{"numbers":[2,4,6],"cuInit":0}"#, "ended 0"])
        .assert_guard_silent();
    let count = |name: &str| outcome.events_named(name).len();
    assert_eq!(
        (count("rewritten"), count("refused"), count("violation")),
        (3, 0, 0),
        "{}",
        outcome.story()
    );
}
