//! `cpu` in Python: the child's own copy of the environment hides devices, too, before any code of the program's runs
//! there, on whichever thread the fork was made and however CUDA was initialised; frameworks are told, and one that
//! cannot be is named and stops nothing. Fails when a fork is missed or a child does not run.

use forkguard_testkit::{Outcome, python};

fn child(how: &str) -> Outcome {
    python("cpu_python.py")
        .arg(how)
        .policy("cpu")
        // Python's own, about forks of programs with threads (3.12).
        .env("PYTHONWARNINGS", "ignore::DeprecationWarning")
        .run()
}

const LOOKS: &str = "   b'' starts with '' driver 100";
const AFTER: [&str; 2] = ["exit 7", "parent has unset 0"];

#[test]
fn however_it_is_made() {
    for how in ["os.fork", "thread", "c-init"] {
        let outcome = child(how);
        outcome.assert_silent();
        let look = format!("child{LOOKS}");
        outcome.assert_stdout(&["parent 0", &look, AFTER[0], AFTER[1]]);
    }
}

#[test]
fn a_process_of_multiprocessings() {
    let outcome = child("process");
    outcome.assert_silent();
    let look = format!("child{LOOKS}");
    outcome.assert_stdout(&["parent 0", &look, "exit 0", AFTER[1]]);
}

#[test]
fn a_grandchild() {
    let outcome = child("grandchild");
    outcome.assert_silent();
    let (mother, look) = (format!("mother{LOOKS}"), format!("child{LOOKS}"));
    outcome.assert_stdout(&["parent 0", &mother, &look, "exit 7", AFTER[0], AFTER[1]]);
}

#[test]
fn a_framework_forgets_what_its_parent_saw() {
    let outcome = child("cached");
    outcome.assert_silent();
    outcome.assert_stdout(&["parent 0", "cupy says False", AFTER[0], AFTER[1]]);
}

/// A program that has exchanged `os.environ` (for a test's dict, say) hears nothing of it, and its frameworks are told.
#[test]
fn an_environment_that_is_not_pythons() {
    for (kind, shown) in [("dict", ""), ("frozen", "unset")] {
        let outcome = child(kind);
        outcome.assert_silent();
        let says = format!("cupy says False and {shown}");
        let seen = ["parent 0", &says, "before  driver 100", AFTER[0], AFTER[1]];
        outcome.assert_stdout(&seen);
    }
}

/// What stands in a framework's place is not looked at in vain: one that is imported lazily stays as it is, in the parent
/// and in the child, and one that answers nothing is none.
#[test]
fn modules_that_are_none_yet() {
    let outcome = child("odd");
    outcome.assert_silent();
    let look = format!("child{LOOKS}");
    outcome.assert_stdout(&["parent 0", &look, AFTER[0], AFTER[1]]);
}

#[test]
fn a_framework_that_cannot_be_told_is_named() {
    let outcome = child("broken");
    outcome.assert_stdout(&["parent 0", "went on", AFTER[0], AFTER[1]]);
    outcome.assert_says(
        "CUDA is absent in this forked process, but onnxruntime could not be told (KeyError",
    );
}
