//! What fork, vfork, clone, `posix_spawn`, wait, pipes, signals, descriptors, memory, semaphores and at-fork
//! handlers promise is kept for a guarded program as for a bare one, whether it has initialised CUDA or not, and
//! whatever the policy. Fails when a hook changes a result, an errno, a descriptor's number or an order that a program
//! may rely on.

use forkguard_testkit::{Outcome, Program};

fn checks(when: &str, prepare: impl Fn(Program) -> Program) -> Outcome {
    let outcome = prepare(Program::client("posix").arg(when)).run();
    outcome.assert_code(0).assert_silent();
    let wrong: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| !line.ends_with(": ok"))
        .collect();
    assert_eq!(wrong, [""; 0], "{}", outcome.story());
    assert!(outcome.stdout.lines().count() > 30, "{}", outcome.story());
    outcome
}

#[test]
fn without_the_guard() {
    checks("initialised", Program::bare);
}

#[test]
fn untouched() {
    checks("untouched", |program| program);
}

#[test]
fn initialised() {
    for policy in ["off", "abort", "cpu", "exec,abort", "exec,revive,cpu"] {
        checks("initialised", |program| program.policy(policy));
    }
}
