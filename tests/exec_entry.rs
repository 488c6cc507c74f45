//! `include/forkguard.h`: the workers of a C pre-fork server are fresh processes with CUDA of their own under `exec`,
//! and forks in every other case, by one and the same path through the program. Fails when a worker is no child like
//! any other (pid, parent, exit code, descriptors), has not its data, or when `main` is run on.

use forkguard_testkit::tempfile::{TempDir, tempdir};
use forkguard_testkit::{Outcome, Program, client, with_own_mounts};

/// The server, with a socket in a folder of its own.
fn server(workers: usize, how: &str) -> (Program, TempDir) {
    server_at(Program::client("prefork"), workers, how)
}

fn server_at(program: Program, workers: usize, how: &str) -> (Program, TempDir) {
    let folder = tempdir().expect("a folder for the socket");
    let program = program.arg(folder.path().join("socket"));
    (program.arg(workers.to_string()).arg(how), folder)
}

/// `main` went on once, each request was answered so, and each worker ended with its own number.
#[track_caller]
fn answered(outcome: &Outcome, workers: usize, answer: &str) {
    let mut expected = vec!["main goes on".to_owned()];
    expected.extend((0..2 * workers).map(|_| answer.to_owned()));
    expected.extend((0..workers).map(|worker| format!("worker exited {}", 10 + worker)));
    let said: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(said, expected, "{}", outcome.story());
}

const FRESH: &str = "count: init 0 count 0 fresh";
const FORKED: &str = "count: init 0 count 0 forked";

#[track_caller]
fn fresh(how: &str, workers: usize) {
    let (program, _folder) = server(workers, how);
    let outcome = program.policy("exec,abort").with_events().run();
    outcome.assert_silent();
    answered(&outcome, workers, FRESH);
    let events = outcome.events();
    let named = |name: &str| -> Vec<_> {
        let all = events.iter().filter(|event| event["event"] == name);
        all.collect()
    };
    let rewritten = named("rewritten");
    assert_eq!(rewritten.len(), workers, "{}", outcome.story());
    for event in rewritten {
        assert_eq!(event["process"], "worker");
        assert!(event["child"].is_i64() && event["child"] != event["pid"]);
    }
    assert_eq!((named("refused").len(), named("violation").len()), (0, 0));
}

#[test]
fn workers_have_cuda() {
    fresh("", 2);
}

#[test]
fn from_another_thread() {
    fresh("thread", 2);
}

/// What counts is the moment of the fork.
#[test]
fn cuda_initialised_after_the_entry_was_named() {
    fresh("after", 1);
}

#[test]
fn another_program_started_meanwhile() {
    fresh("spawned", 1);
}

#[test]
fn arguments_that_were_written_over() {
    fresh("title", 1);
}

#[test]
fn an_executable_that_was_removed() {
    let folder = tempdir().expect("a folder for a copy");
    let copy = folder.path().join("prefork");
    std::fs::copy(client("prefork"), &copy).expect("the client can be copied");
    let (program, _folder) = server_at(Program::at(&copy), 2, "closed");
    let outcome = program.policy("exec,abort").run();
    outcome.assert_silent();
    assert!(!copy.exists());
    answered(&outcome, 2, FRESH);
}

#[test]
fn a_workers_own_worker() {
    let (program, _folder) = server(2, "nested");
    let outcome = program.policy("exec,abort").run();
    outcome.assert_silent();
    answered(&outcome, 2, "nested: init 0 count 0 fresh");
}

#[test]
fn before_cuda_they_are_forks() {
    for policy in ["exec,abort", "abort"] {
        let (program, _folder) = server(2, "before");
        let outcome = program.policy(policy).run();
        outcome.assert_silent();
        answered(&outcome, 2, FORKED);
    }
}

/// Without the guard, or with another policy, the header does nothing.
#[test]
fn without_the_guard() {
    let (program, _folder) = server(1, "before");
    let outcome = program.bare().run();
    outcome.assert_silent();
    answered(&outcome, 1, FORKED);
}

/// What is open on the GPU's driver belongs to the parent's CUDA.
#[test]
fn the_drivers_descriptors_stay_behind() {
    // A folder of our own over /dev, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs none /dev && : >/dev/nvidia0 && : >/dev/ours && exec 7</dev/nvidia0 8</dev/ours && exec {} driver",
        client("entries").display()
    );
    let outcome = with_own_mounts(&script).policy("exec,abort").run();
    outcome.assert_silent();
    outcome.assert_stdout(&["has no 7", "has 8", "worker exited 0"]);
}

#[test]
fn verbose() {
    let (program, _folder) = server(1, "");
    let outcome = program.policy("exec").env("FORKGUARD_VERBOSE", "1").run();
    outcome.assert_says("the fork of worker is a fresh process, pid ");
}

/// A server without the header, by a command: workers that take the place of the forked ones.
#[test]
fn without_the_header_a_command_serves() {
    let worker = format!("'{}' worker 20", client("prefork").display());
    let (program, _folder) = server(2, "plain");
    let outcome = program
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", &worker)
        .run();
    outcome.assert_silent();
    let said: Vec<&str> = outcome.stdout.lines().collect();
    let ended = "worker exited 9";
    assert_eq!(
        said,
        ["main goes on", FRESH, FRESH, FRESH, FRESH, ended, ended],
        "{}",
        outcome.story()
    );
}
