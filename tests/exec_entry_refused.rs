//! Entries that cannot become fresh processes stay forks, with a reason; a fresh process that does not come to its entry
//! ends, and says so. Fails when a worker is lost or runs the program's own `main`, when the reason is missing, or when
//! processes are started without end, or when a program that waits for any child hears of one that could not be started.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program, client, with_own_mounts};

fn entries(what: &str) -> Outcome {
    Program::client("entries")
        .arg(what)
        .policy("exec,warn")
        .with_events()
        .run()
}

#[track_caller]
fn stays_a_fork(what: &str, reason: &str) {
    let outcome = entries(what);
    outcome
        .assert_stdout(&["forked: count 3", "worker exited 3"])
        .assert_reports("cuDeviceGetCount")
        .assert_refused(reason);
}

#[test]
fn a_name_that_nobody_registered() {
    stays_a_fork("unknown", "no entry of the name");
    stays_a_fork("nameless", "is empty or longer than 255 bytes");
}

#[test]
fn data_that_is_too_large_or_not_there() {
    stays_a_fork(
        "large",
        "has 1099511627776 bytes, and 1073741824 can be passed",
    );
    stays_a_fork("astray", "is not where forkguard_exec_next was told");
}

#[test]
fn other_kinds_of_fork() {
    let outcome = entries("_Fork");
    outcome.assert_stdout(&[
        "_Fork: count 3",
        "_Fork exited 3",
        "next: count 3",
        "next exited 3",
    ]);
    // The terminal has what the child said.
    let outcome = entries("forkpty");
    outcome.assert_stdout(&["forkpty exited 3", "next: count 3", "next exited 3"]);
}

#[test]
fn an_entry_may_be_empty_and_may_throw() {
    let outcome = entries("empty");
    outcome.assert_silent();
    outcome.assert_stdout(&["entry: 0 bytes", "worker exited 0"]);
    let outcome = entries("throws");
    outcome.assert_silent();
    outcome.assert_stdout(&["main caught: thrown by the entry", "worker exited 8"]);
}

#[test]
fn a_fresh_process_that_does_not_come_to_its_entry() {
    let outcome = entries("loops");
    outcome.assert_stdout(&["worker exited 127"]);
    outcome.assert_says("was started to run the entry \"late\", but came to start workers itself");
    let outcome = entries("ends");
    outcome.assert_stdout(&["ended like any program", "worker exited 127"]);
    outcome.assert_says(
        "was started to run the entry \"late\", but ended without having registered it",
    );
}

/// The server's worker stays a fork, which CUDA refuses; the report says why.
#[track_caller]
fn server_stays_forked(how: &str, reason: &str) {
    let folder = tempdir().expect("a folder for the socket");
    let outcome = Program::client("prefork")
        .arg(folder.path().join("socket"))
        .args(["1", how])
        .policy("exec,warn")
        .run();
    outcome
        .assert_says("client: the worker's cuInit failed")
        .assert_reports("cuInit")
        .assert_explains(reason);
}

#[test]
fn what_the_kernel_refuses() {
    server_stays_forked("huge", "its arguments and the environment are too long");
    server_stays_forked("limit", "larger than files may be here (ulimit -f)");
    server_stays_forked("full", "this process has no free file descriptor");
}

/// Without `/proc` neither the command line nor the descriptors are known.
#[test]
fn without_proc() {
    // An empty folder over /proc, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs none /proc && exec {} throws",
        client("entries").display()
    );
    let outcome = with_own_mounts(&script)
        .policy("exec,warn")
        .with_events()
        .run();
    outcome
        .assert_stdout(&["forked: count 3", "worker exited 3"])
        .assert_reports("cuDeviceGetCount")
        .assert_refused("the program's command line is had from /proc");
}

/// The variable that tells a fresh process what it is means nothing to any other one.
#[test]
fn a_variable_set_by_hand() {
    for value in [
        "",
        "x",
        "3:4",
        "3:4:5",
        "1:1:1:1",
        "99999999999999999999:1:1",
    ] {
        let outcome = Program::client("forks")
            .args(["fork", "clean"])
            .policy("exec")
            .env("FORKGUARD_ENTRY", value)
            .run();
        outcome
            .assert_silent()
            .assert_stdout(&["child exited 9", "parent count 0"]);
    }
    // For this very process, but without anything to do.
    let outcome = Program::at("sh")
        .args(["-c", "FORKGUARD_ENTRY=0:1:$$ exec \"$0\" fork clean"])
        .arg(client("forks"))
        .policy("exec")
        .run();
    outcome
        .assert_code(127)
        .assert_says("what it was to be told is not there");
}

#[test]
fn nobody_hears_of_what_could_not_be_started() {
    for how in ["handler", "thread", "group"] {
        let outcome = Program::client("reaper")
            .arg(how)
            .policy("exec,abort")
            .with_events()
            .run();
        outcome
            .assert_silent()
            .assert_stdout(&["workers 20, others 0"]);
        // Each was tried, and is a fork.
        assert_eq!(outcome.events_named("refused").len(), 20, "{how}");
    }
}
