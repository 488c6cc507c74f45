//! A runtime API that only counted devices in the parent works in a revived child: its entry in the driver is taken over,
//! and what it keeps of the parent's driver is exchanged. Fails when the entry is lost or the context stays the old one
//! (the stand-in for the runtime answers 709, as the real one does), when a context of the program's own is taken for
//! the parent's, or when a child cannot be revived that is one generation further.

use forkguard_testkit::{Outcome, Program};

fn revive(scenario: &str) -> Outcome {
    let outcome = Program::reviving(scenario).run();
    outcome.assert_silent();
    outcome
}

#[test]
fn it_works_in_the_child() {
    revive("counted").assert_stdout(&[
        "parent runtime 0",
        "child runtime 0",
        "child runtime 0",
        "child exited 7",
        "parent runtime 0",
    ]);
}

#[test]
fn and_in_a_grandchild() {
    revive("counted-twice").assert_stdout(&[
        "parent runtime 0",
        "child runtime 0",
        "grandchild runtime 0",
        "grandchild exited 7",
        "child runtime 0",
        "child runtime 0",
        "child exited 7",
        "parent runtime 0",
    ]);
}

/// Which of two contexts is the parent's nobody can say then: the runtime fails as it would, and says so.
#[test]
fn beside_a_context_of_the_programs_own_nothing_is_exchanged() {
    revive("counted-beside").assert_stdout(&[
        "parent runtime 0",
        "child runtime 709",
        "child runtime 709",
        "child exited 7",
        "parent runtime 0",
    ]);
}
