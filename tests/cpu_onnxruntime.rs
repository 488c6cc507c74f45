//! onnxruntime in a forked child in which CUDA is absent, with the real package: whatever providers a session is asked
//! to use, it uses the CPU, and so does one that the parent had on the GPU. Said once, and nothing else. Fails when a
//! provider for the GPU is asked for all the same (the package for the CPU then warns, which the child makes an error).
//! `scripts/setup` installs it.

use forkguard_testkit::python_with_packages;
use std::time::Duration;

#[test]
fn every_session_computes_on_the_cpu() {
    let outcome = python_with_packages("cpu_onnxruntime.py")
        .policy("cpu")
        .patience(Duration::from_secs(100))
        .run();
    let made = "made [[1.0, 2.0], [3.0, 4.0]] ['CPUExecutionProvider']";
    outcome.assert_stdout(&[
        "parent [[1.0, 2.0], [3.0, 4.0]]",
        "AzureExecutionProvider CPUExecutionProvider CPU",
        "inherited [[1.0, 2.0], [3.0, 4.0]] ['CPUExecutionProvider'] True",
        made,
        made,
        made,
        made,
        "set [[1.0, 2.0], [3.0, 4.0]] ['CPUExecutionProvider']",
        "ended 0",
        "parent [[1.0, 2.0], [3.0, 4.0]]",
    ]);
    let told = outcome.stderr.matches("forkguard:").count();
    outcome.assert_says("onnxruntime computes on the CPU here");
    assert_eq!(
        (told, outcome.stderr.lines().count()),
        (1, 1),
        "{}",
        outcome.story()
    );
}
