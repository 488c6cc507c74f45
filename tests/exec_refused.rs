//! What cannot cross into a fresh process is never lost in silence: where the worker reaches it, its fork stays a fork,
//! the reason names the thing and its place, and the next policy of the chain acts. Fails when such a worker runs
//! without what it needs, when the reason is missing, or when the chain stops there.

use forkguard_testkit::{Outcome, Program, python_with_packages};

fn refused(piece: &str, chain: &str) -> Outcome {
    python_with_packages("exec_state.py")
        .arg(piece)
        .policy(chain)
        .with_events()
        .run()
}

fn reason(outcome: &Outcome) -> String {
    let events = outcome.events();
    let found = events.iter().find(|event| event["event"] == "refused");
    let found = found.unwrap_or_else(|| panic!("no event says it\n{}", outcome.story()));
    assert!(found["process"].is_string() && found["forked"]["python"].is_array());
    found["reason"]
        .as_str()
        .expect("a reason is text")
        .to_owned()
}

#[test]
fn a_global_that_the_worker_uses() {
    let outcome = refused("generator", "exec,warn");
    outcome.assert_stdout(&["generator [1] init 3"]);
    let reason = reason(&outcome);
    for part in ["`numbers`", "generator", "exec_state.py:"] {
        assert!(reason.contains(part), "{reason}");
    }
    outcome.assert_reports("cuInit");
    outcome.assert_says("Policy exec could not start a fresh process");
}

#[test]
fn an_argument() {
    let outcome = refused("argument", "exec,warn");
    outcome.assert_stdout(&["argument ['a generator as an argument'] init 3"]);
    assert!(reason(&outcome).contains("the worker's arguments cannot be pickled"));
}

#[test]
fn a_lock_that_is_held() {
    let outcome = refused("held_lock", "exec,warn");
    outcome.assert_stdout(&["held_lock [True] init 3"]);
    let reason = reason(&outcome);
    assert!(
        reason.contains("`held`") && reason.contains("is held at the moment"),
        "{reason}"
    );
}

/// `exec` alone ends as `exec,abort` does: the worker that uses CUDA is aborted.
#[test]
fn an_exhausted_chain_aborts() {
    for chain in ["exec", "exec,abort"] {
        let outcome = refused("generator", chain);
        assert!(outcome.stdout.is_empty(), "{}", outcome.story());
        outcome.assert_says("-6");
        outcome.assert_reports("cuInit");
    }
}

/// What could not be foreseen to be used says so when it is.
#[test]
fn a_use_that_could_not_be_foreseen() {
    let outcome = refused("trapped", "exec,abort");
    outcome.assert_stdout(&["trapped [('RuntimeError', True)] init 0"]);
    let events = outcome.events();
    let rewritten = events.iter().find(|event| event["event"] == "rewritten");
    let rewritten = rewritten.unwrap_or_else(|| panic!("{}", outcome.story()));
    let suspicious = rewritten["suspicious"].to_string();
    assert!(
        suspicious.contains("numbers was not carried"),
        "{suspicious}"
    );
}

/// A fork that is not multiprocessing's is in the middle of a program: it stays one, and CUDA in it is reported.
#[test]
fn another_fork() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .policy("exec")
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_says("in the middle of its program");
    outcome.assert_says("or say with forkguard.h what the process is made for");
}

/// Another program does not do the work of a worker that multiprocessing made.
#[test]
fn a_worker_is_not_replaced() {
    let outcome = python_with_packages("exec_state.py")
        .arg("generator")
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "echo in its place")
        .run();
    outcome.assert_stdout(&["generator [1] init 3"]);
    outcome.assert_reports("cuInit");
    assert!(
        !outcome.report().contains("FORKGUARD_EXEC"),
        "{}",
        outcome.story()
    );
}
