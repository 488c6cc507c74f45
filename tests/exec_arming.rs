//! However Python and CUDA come together (CUDA first, several threads at a time, in a forked child or its child, beside a
//! second interpreter, against the will of another audit hook, in one Python after another), the workers that are
//! started afterwards are fresh processes. Fails when one is a fork that CUDA refuses, when one that was started before
//! CUDA was initialised is not a fork, or when an ended interpreter's objects are used.

use forkguard_testkit::{Outcome, client, embedded_python, python_with_packages};

fn arming(way: &str) -> Outcome {
    python_with_packages("exec_arming.py")
        .arg(way)
        .policy("exec,abort")
        .run()
}

#[test]
fn cuda_before_python() {
    let outcome = python_with_packages("exec_arming.py")
        .arg("early")
        .policy("exec,abort")
        .preload(client("libearly.so"))
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["(0, True) (0, True)"]);
}

#[test]
fn many_threads_at_once() {
    arming("threads")
        .assert_silent()
        .assert_stdout(&["8 (0, True)"]);
}

#[test]
fn in_a_forked_child() {
    arming("child")
        .assert_silent()
        .assert_stdout(&["((0, True), (0, True)) (0, False)"]);
}

#[test]
fn in_a_child_of_a_forked_child() {
    arming("grandchild")
        .assert_silent()
        .assert_stdout(&["'((0, True), (0, True))' (0, False)"]);
}

#[test]
fn beside_a_second_interpreter() {
    arming("subinterpreter")
        .assert_silent()
        .assert_stdout(&["(0, True) (0, True)"]);
}

/// To Python 3.11 by the fork itself, which needs cloudpickle to be there; later the hook is added all the same.
#[test]
fn against_another_hook() {
    arming("forbidden")
        .assert_silent()
        .assert_stdout(&["(0, True) (0, True)"]);
}

/// A host that is not the interpreter itself cannot be executed again: each fork is asked about, and stays one.
#[test]
fn one_python_after_another() {
    const SCRIPT: &str = "
import multiprocessing
init_driver()
process = multiprocessing.get_context('fork').Process(target=exit, args=(7,))
process.start()
process.join()
print(process.exitcode, flush=True)
";
    let outcome = embedded_python("twice", SCRIPT)
        .policy("exec,abort")
        .with_events()
        .run();
    outcome.assert_silent().assert_stdout(&["7", "7", "ended"]);
    let events = outcome.events();
    let refused = events.iter().filter(|event| event["event"] == "refused");
    let reasons: Vec<_> = refused.map(|event| event["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 2, "{}", outcome.story());
    for reason in reasons {
        assert!(reason.contains("part of another program"), "{reason}");
    }
}
