//! The driver's other libraries keep state of their own, which is put back with libcuda's: the decoder, the encoder and
//! the optical flow that the parent used work in the child. Of open descriptors those stay that are not libcuda's.
//! Fails when a library is forgotten, when one that the program closes is unloaded (loaded again it would be put back to
//! what another one was), or when NVML's descriptors are closed.

use forkguard_testkit::{Outcome, Program};

fn revive(scenario: &str) -> Outcome {
    let outcome = Program::reviving(scenario).run();
    outcome.assert_silent();
    outcome
}

#[test]
fn all_of_them() {
    revive("others").assert_stdout(&[
        "parent 0 0 0",
        "child decodes 0",
        "child 0 0 0",
        "child exited 7",
        "parent 0 0 0",
        "parent worked",
    ]);
}

/// As ffmpeg does with each stream.
#[test]
fn a_decoder_that_is_opened_again() {
    revive("reopened-decoder").assert_stdout(&[
        "parent decodes 0",
        "decoder stays 1",
        "parent decodes 0",
        "child decodes 0",
        "child exited 7",
        "parent worked",
    ]);
}

#[test]
fn a_decoder_that_was_loaded_and_not_used() {
    revive("unused").assert_stdout(&[
        "child worked",
        "child decodes 0",
        "child exited 7",
        "parent worked",
    ]);
}

#[test]
fn a_driver_that_is_opened_again() {
    let outcome = revive("reopened");
    assert!(
        outcome.stdout.starts_with("driver stays 1\nchild"),
        "{}",
        outcome.story()
    );
    assert!(
        outcome.stdout.ends_with("child exited 7\nparent worked\n"),
        "{}",
        outcome.story()
    );
}

#[test]
fn descriptors_from_before() {
    revive("descriptors").assert_stdout(&[
        "child has before 1 after 0",
        "child exited 7",
        "parent worked",
    ]);
}

#[test]
fn descriptors_of_nvml() {
    revive("nvml").assert_stdout(&[
        "child has before 1 after 1",
        "child exited 7",
        "parent worked",
    ]);
}
