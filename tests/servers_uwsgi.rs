//! uWSGI itself, which embeds Python, with its master and an application whose import initialises CUDA: what each policy
//! makes of the requests, and that a master which executes itself again and ends leaves nothing behind. Fails when the
//! report does not name the application's lines or uWSGI's switch, when a worker's end takes the master along, when
//! `cpu` or `revive` do not serve, or when a word is said of a server that does it right. `scripts/setup` installs it.

use forkguard_testkit::{Outcome, Program, python};

fn uwsgi(switches: &[&str]) -> Program {
    python("server_uwsgi.py").args(switches).env("EARLY", "1")
}

/// A request without CUDA, two with it, one after the reload, and the end.
#[track_caller]
fn assert_answers(outcome: &Outcome, answer: &str) {
    let end = "ended 0, left behind nothing";
    outcome.assert_stdout(&["200 plain", answer, answer, answer, end]);
}

/// The reload is a new program to the guard, so that each of the two tells.
#[test]
fn the_report_names_the_applications_lines_and_the_switch() {
    let outcome = uwsgi(&[]).with_events().run();
    assert_answers(&outcome, "no answer");
    outcome
        .assert_code(0)
        .assert_blames("server_application.py")
        .assert_explains("uWSGI loads the application before it forks: set lazy-apps = true")
        .assert_says("uwsgi_fork");
    let violations = outcome.events_named("violation");
    assert_eq!(violations.len(), 3, "{}", outcome.story());
    assert_eq!(
        outcome.stderr.matches(" used here ").count(),
        2,
        "{}",
        outcome.story()
    );
}

#[test]
fn requests_are_served_without_cuda() {
    let outcome = uwsgi(&[]).policy("cpu,abort").run();
    assert_answers(&outcome, "200 computed without CUDA");
    outcome.assert_guard_silent();
}

#[test]
fn requests_are_served_with_a_driver_of_the_workers_own() {
    let outcome = uwsgi(&[])
        .policy("revive,abort")
        .with_events()
        .with_devices("")
        .run();
    assert_answers(&outcome, "200 computed with CUDA");
    outcome.assert_guard_silent();
    let revived = outcome.events_named("revived");
    assert!(!revived.is_empty(), "{}", outcome.story());
}

#[test]
fn who_does_it_right_is_left_alone() {
    // As the advice has it, and with an application that leaves CUDA to its requests.
    for (switches, early) in [(&["--lazy-apps"][..], "1"), (&[][..], "0")] {
        let program = uwsgi(switches).env("EARLY", early);
        assert_answers(&program.clone().bare().run(), "200 computed with CUDA");
        for policy in ["abort", "exec,revive,cpu"] {
            let outcome = program.clone().policy(policy).with_events().run();
            assert_answers(&outcome, "200 computed with CUDA");
            outcome
                .assert_code(0)
                .assert_guard_silent()
                .assert_nothing_found();
        }
    }
}
