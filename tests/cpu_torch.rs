//! PyTorch in a forked child in which CUDA is absent, as far as a stand-in for its package shows it: it is told at the
//! fork, whoever holds its functions; asking is silent, and the first explicit use is said once a process. Fails when
//! the child answers what the parent saw, a notice comes unasked, twice or without the program's line, or when a
//! PyTorch that lacks something ends the child. With the real one: `scripts/check-torch`.

use forkguard_testkit::python;

#[test]
fn it_answers_that_there_is_none_and_says_so_once() {
    let outcome = python("cpu_torch.py").arg("told").policy("cpu").run();
    let asked = "False 0 False False False";
    outcome.assert_code(0).assert_stdout(&[
        "True 2 True",
        asked,
        "ended 0",
        "pinned a copy",
        "used again None",
        asked,
        "ended 0",
        "ended 0",
        "ended 0",
        "No CUDA GPUs are available True",
        "ended 0",
        "True 2 True",
    ]);
    let source = include_str!("clients/cpu_torch.py");
    let line = 1 + source
        .lines()
        .take_while(|line| !line.ends_with("# USE"))
        .count();
    outcome.assert_says(&format!(
        "torch was asked for \"cuda\" at {}:{line}; the CPU takes its place (CUDA was initialised in the parent process",
        forkguard_testkit::script("cpu_torch.py").display()
    ));
    // One in the second child, and one in the third.
    let told: Vec<&str> = outcome.stderr.lines().collect();
    assert!(
        told.len() == 2 && told.iter().all(|line| line.contains("torch was asked for")),
        "{}",
        outcome.story()
    );
}

#[test]
fn one_whose_kernels_cannot_be_replaced_says_so() {
    let outcome = python("cpu_torch.py").arg("old").policy("cpu").run();
    let refused = "No CUDA GPUs are available True";
    outcome.assert_silent().assert_stdout(&[
        "True 2 True",
        refused,
        refused,
        "ended 0",
        "True 2 True",
    ]);
}

#[test]
fn one_that_cannot_be_told_goes_on() {
    let outcome = python("cpu_torch.py").arg("untellable").policy("cpu").run();
    outcome
        .assert_code(0)
        .assert_stdout(&["True 2 True", "False", "ended 0", "True 2 True"])
        .assert_says("torch could not be told (");
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.story());
}
