//! gunicorn itself with `--preload`, and an application whose import initialises CUDA: what each policy makes of the
//! requests, and that a master which reloads and ends leaves nothing behind. Fails when the report does not name the
//! application's lines or gunicorn's switch, when a worker's end takes the master along, when `cpu` or `revive` do not
//! serve, or when a word is said of a server that does it right. `scripts/setup` installs gunicorn.

use forkguard_testkit::{Outcome, Program, python_with_packages};

const CLASSES: [&str; 2] = ["sync", "gthread"];

fn gunicorn(class: &str, switches: &[&str]) -> Program {
    python_with_packages("server_gunicorn.py")
        .arg(class)
        .args(switches)
        .env("EARLY", "1")
}

/// A request without CUDA, two with it, one after the reload, and the end.
#[track_caller]
fn assert_answers(outcome: &Outcome, answer: &str) {
    let end = "ended 0, left behind nothing";
    outcome.assert_stdout(&["200 plain", answer, answer, answer, end]);
}

#[test]
fn the_report_names_the_applications_lines_and_the_switch() {
    for class in CLASSES {
        let outcome = gunicorn(class, &["--preload"]).run();
        assert_answers(&outcome, "no answer");
        outcome
            .assert_code(0)
            .assert_reports("cuInit")
            .assert_blames("server_application.py")
            .assert_explains("gunicorn/arbiter.py:")
            .assert_explains("run without --preload");
    }
}

#[test]
fn requests_are_served_without_cuda() {
    for class in CLASSES {
        let outcome = gunicorn(class, &["--preload"]).policy("cpu,abort").run();
        assert_answers(&outcome, "200 computed without CUDA");
        outcome.assert_silent();
    }
}

#[test]
fn requests_are_served_with_a_driver_of_the_workers_own() {
    for class in CLASSES {
        let outcome = gunicorn(class, &["--preload"])
            .policy("revive,abort")
            .with_events()
            .with_devices("")
            .run();
        assert_answers(&outcome, "200 computed with CUDA");
        outcome.assert_silent();
        let revived = outcome.events_named("revived");
        assert!(!revived.is_empty(), "{}", outcome.story());
    }
}

/// gunicorn's fork is in the middle of its own function, where no fresh process can go on.
#[test]
fn a_fresh_process_cannot_go_on() {
    let outcome = gunicorn("sync", &["--preload"]).policy("exec,cpu").run();
    assert_answers(&outcome, "200 computed without CUDA");
    outcome.assert_guard_silent();
}

#[test]
fn who_does_it_right_is_left_alone() {
    // Without --preload, and with an application that leaves CUDA to its requests.
    for (switches, early) in [(&[][..], "1"), (&["--preload"][..], "0")] {
        let program = gunicorn("sync", switches).env("EARLY", early);
        let bare = program.clone().bare().run();
        assert_answers(&bare, "200 computed with CUDA");
        for policy in ["abort", "exec,revive,cpu"] {
            let outcome = program.clone().policy(policy).with_events().run();
            outcome
                .assert_same_as(&bare)
                .assert_silent()
                .assert_nothing_found();
        }
    }
}
