//! Without cloudpickle `__main__` is imported again, as spawn does: a program with a main guard works, one without is
//! refused before it could start its workers twice. Fails when the fresh process runs the program once more, when a
//! global set at run time is lost, or when it is not said (at `FORKGUARD_VERBOSE=1`) that cloudpickle is missing.

use forkguard_testkit::{Program, python_with_packages};

/// Without the packages that are installed: as if cloudpickle were not there.
fn program(mode: &str) -> Program {
    python_with_packages("exec_guarded.py")
        .arg(mode)
        .env("HIDE_CLOUDPICKLE", "1")
}

#[test]
fn a_guarded_program_works() {
    let outcome = program("guarded")
        .policy("exec,abort")
        .env("FORKGUARD_VERBOSE", "1")
        .run();
    outcome.assert_code(0);
    outcome.assert_stdout(&["[(0, 'set later'), (0, 'set later')]"]);
    let said = outcome
        .stderr
        .matches("cloudpickle is not installed")
        .count();
    assert_eq!(said, 1, "{}", outcome.story());
}

#[test]
fn an_unguarded_program_is_refused() {
    let outcome = program("unguarded").policy("exec,warn").with_events().run();
    outcome.assert_stdout(&["[(3, 'set later'), (3, 'set later')]"]);
    let events = outcome.events();
    let reason = events
        .iter()
        .find(|event| event["event"] == "refused")
        .map(|event| event["reason"].to_string())
        .unwrap_or_default();
    assert!(
        reason.contains("__main__") && reason.contains("cloudpickle"),
        "{}",
        outcome.story()
    );
}
