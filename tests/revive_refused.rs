//! A child that cannot be given a driver of its own is told why, and the chain goes on: each condition has its text, in
//! the report and in a `refused` event. Fails when a condition is not seen, when its text is another one's, or when the
//! policy that follows does not act.

use forkguard_testkit::{Outcome, Program};

/// Runs it, and has the child end by the report that gives this reason.
fn refused(program: Program, reason: &str) -> Outcome {
    let outcome = program.policy("revive,abort").with_events().run();
    let text = outcome.report().split_whitespace().collect::<Vec<_>>();
    let text = text.join(" ");
    assert!(
        text.contains("Policy revive could not give it a driver of its own: ")
            && text.contains(reason),
        "the report does not say {reason:?}\n{}",
        outcome.story()
    );
    let events = outcome.events();
    let of = |name: &str| {
        let mut found = events.iter().filter(|event| event["event"] == name);
        let event = found.next();
        assert!(found.next().is_none(), "two {name}\n{}", outcome.story());
        event.unwrap_or_else(|| panic!("no {name}\n{}", outcome.story()))
    };
    let refusal = of("refused");
    assert_eq!(refusal["policy"], "revive", "{}", outcome.story());
    assert_eq!(refusal["reason"], of("violation")["not_revived"]);
    assert_eq!(refusal["pid"], of("violation")["pid"]);
    let told = refusal["reason"].as_str().unwrap_or_default();
    assert!(told.contains(reason), "{}", outcome.story());
    outcome
}

fn scenario(name: &str) -> Program {
    Program::client("revive").arg(name)
}

#[test]
fn a_context_in_the_parent() {
    refused(
        scenario("context").with_devices(""),
        "say so with FORKGUARD_REVIVE=foreign-handles-unused",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

#[test]
fn a_graph_in_the_parent() {
    refused(
        scenario("object").with_devices(""),
        "the parent had created something of the driver's",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

/// In the process that was revived as in any other.
#[test]
fn a_runtime_in_the_parent() {
    refused(
        scenario("runtime").with_devices(""),
        "revive used CUDA's runtime API in the parent for more than counting devices",
    )
    .assert_stdout(&[
        "child runtime 0",
        "child runtime 0",
        "grandchild killed by signal 6",
        "child runtime 0",
        "child exited 7",
        "parent worked",
    ]);
}

#[test]
fn a_shared_runtime_is_named() {
    refused(
        Program::client("cudart_shared")
            .arg("child-use")
            .with_devices(""),
        "libcudart_like.so used CUDA's runtime API",
    );
}

#[test]
fn data_that_may_not_be_written() {
    refused(
        scenario("protected").with_devices(""),
        "libcuda's data does not lie as it did when it was saved, or may not be written",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

#[test]
fn cu_init_fails_in_the_child() {
    refused(
        scenario("failing").with_devices(""),
        "cuInit answered 304 (CUDA_ERROR_OPERATING_SYSTEM)",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

#[test]
fn a_driver_without_devices_to_be_seen() {
    refused(
        scenario("work"),
        "nothing of /dev/nvidia* was inherited, so this driver",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

#[test]
fn no_proc() {
    refused(
        scenario("work").with_devices("mount -t tmpfs none /proc"),
        "/proc/self/maps could not be read (it is not there: mount /proc)",
    )
    .assert_stdout(&["child killed by signal 6", "parent worked"]);
}

#[test]
fn xla_waits_for_threads() {
    refused(
        Program::client("pjrt")
            .args(["libxla_cuda_like.so", "child-use"])
            .with_devices(""),
        "XLA waits for threads that were not copied by the fork",
    );
}
