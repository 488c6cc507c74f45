//! A pool that replaces its dying workers for ever does not fill a disk: of one kind of event a family writes a burst and
//! then a trickle, the next one tells how many were left out, and the first of another cause is always written. Fails when
//! the file grows with every worker, when a count is lost, or when a new cause is left out with the others.

use forkguard_testkit::{Outcome, Program};
use serde_json::Value;

/// 600 processes that use CUDA at one line, then one that does at another.
const POOL: &str = "
import ctypes, os
cuda = ctypes.CDLL('libcuda.so.1')
cuda.cuInit(0)

def forked(work):
    if os.fork() == 0:
        work()
        os._exit(0)
    os.wait()

def one():
    cuda.cuInit(0)

def other():
    cuda.cuDeviceGetCount(ctypes.byref(ctypes.c_int()))

for _ in range(600):
    forked(one)
forked(other)
";
/// What the limit lets through at once.
const BURST: usize = 500;

fn run(policy: &str, verbose: &str) -> Outcome {
    let python = forkguard_testkit::interpreter();
    let program = Program::at(python).args(["-c", POOL]).policy(policy);
    program
        .env("FORKGUARD_VERBOSE", verbose)
        .with_events()
        .run()
}

fn sum(events: &[Value], member: &str) -> usize {
    let told = events.iter().filter_map(|event| event[member].as_u64());
    told.sum::<u64>().try_into().expect("a small number")
}

fn is_limited(events: &[Value], outcome: &Outcome) {
    // The last one is the other cause's. A slow machine may see one more every five seconds.
    let written = events.len();
    assert!(
        (BURST + 1..BURST + 20).contains(&written),
        "{written}\n{}",
        outcome.story()
    );
    assert_eq!(
        written + sum(events, "suppressed"),
        601,
        "{}",
        outcome.story()
    );
    let last = events.last().expect("some");
    assert_eq!(last["function"], "cuDeviceGetCount", "{last}");
    assert!(last["suppressed"].as_u64() > Some(0), "{last}");
    assert_eq!(sum(events, "lost"), 0);
}

#[test]
fn of_violations() {
    let outcome = run("abort", "0");
    is_limited(&outcome.events_named("violation"), &outcome);
    // Both causes are told in full, the first with a line for each of twenty processes.
    assert_eq!(
        outcome.stderr.matches("used here").count(),
        2,
        "{}",
        outcome.story()
    );
    assert_eq!(outcome.stderr.matches("already reported").count(), 20);
}

#[test]
fn of_what_is_no_violation_and_its_lines() {
    let outcome = run("cpu", "1");
    let events = outcome.events_named("cpu");
    is_limited(&events, &outcome);
    let lines = outcome.stderr.matches("CUDA is absent in it").count();
    assert_eq!(lines, events.len());
    assert_eq!(outcome.events_named("initialised").len(), 1);
}
