//! Celery's prefork pool with a real Redis, and an application whose import initialises CUDA: what each policy makes of
//! its tasks. Fails when a task that aborts takes the worker along, when the report does not name the task's lines or
//! Celery's switch, when `exec`, `cpu` or `revive` give no results, or when a word is said of an application that does
//! it right. `scripts/setup` installs both.

use forkguard_testkit::{Outcome, Program, python_with_packages};
use std::time::Duration;

fn celery() -> Program {
    python_with_packages("server_celery.py")
        .env("EARLY", "1")
        .patience(Duration::from_secs(120))
}

/// A task without CUDA, four with it, and the end.
#[track_caller]
fn assert_results(outcome: &Outcome, results: [&str; 4]) {
    let results = format!("['{}']", results.join("', '"));
    let end = "ended 0, left behind nothing";
    outcome.assert_code(0).assert_stdout(&["9", &results, end]);
}

const WITH_CUDA: [&str; 4] = [
    "8 with CUDA",
    "16 with CUDA",
    "24 with CUDA",
    "32 with CUDA",
];

#[test]
fn the_report_names_the_tasks_lines_and_the_switch() {
    let outcome = celery().run();
    assert_results(&outcome, ["WorkerLostError"; 4]);
    outcome
        .assert_reports("cuInit")
        .assert_blames("server_jobs.py")
        .assert_says("`import server_jobs` at server_celery_app.py:")
        .assert_explains("billiard/popen_fork.py:")
        .assert_explains("--pool=solo or --pool=threads");
}

#[test]
fn fresh_processes_have_cuda() {
    let outcome = celery().policy("exec,abort").with_events().run();
    assert_results(&outcome, WITH_CUDA);
    outcome.assert_guard_silent();
    let count = |name: &str| outcome.events_named(name).len();
    assert_eq!(
        (count("rewritten"), count("refused"), count("violation")),
        (2, 0, 0),
        "{}",
        outcome.story()
    );
}

#[test]
fn tasks_go_on_without_cuda() {
    let outcome = celery().policy("cpu,abort").run();
    let results = [8, 16, 24, 32].map(|sum| format!("{sum} without CUDA"));
    assert_results(&outcome, results.each_ref().map(String::as_str));
    outcome.assert_guard_silent();
}

#[test]
fn workers_have_a_driver_of_their_own() {
    let outcome = celery()
        .policy("revive,abort")
        .with_events()
        .with_devices("")
        .run();
    assert_results(&outcome, WITH_CUDA);
    outcome.assert_guard_silent();
    assert!(
        !outcome.events_named("revived").is_empty(),
        "{}",
        outcome.story()
    );
}

/// An application that leaves CUDA to its tasks.
#[test]
fn who_does_it_right_is_left_alone() {
    let program = celery().env("EARLY", "0");
    let bare = program.clone().bare().run();
    assert_results(&bare, WITH_CUDA);
    for policy in ["abort", "exec,revive,cpu"] {
        let outcome = program.clone().policy(policy).with_events().run();
        outcome.assert_same_as(&bare).assert_nothing_found();
    }
}
