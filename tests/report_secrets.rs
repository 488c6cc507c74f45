//! No event holds an argument of the program, a value of its environment, or what its objects say of themselves: not the
//! reason why a worker could not be pickled or made ready, not the command that was to run in its place, not the advice.
//! Over all kinds of events, each of which has to be there. Fails when something that only the program was told can be
//! read in a log.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program, python_with_packages};
use std::fs;

/// In an argument, in a variable, in objects.
const SECRET: &str = "hunter2-hunter2";

/// Workers by multiprocessing: with an object that refuses to be pickled, with one that pickle shows, with one that
/// refuses to be made again, twice, and with nothing. Then a bare fork that uses CUDA.
const PROGRAM: &str = r#"
import ctypes, multiprocessing, os, sys

cuda = ctypes.CDLL("libcuda.so.1")
secret = os.environ["TOKEN"]
assert sys.argv[1] == "--token=" + secret
cuda.cuInit(0)

class Refuses:
    def __reduce__(self):
        raise TypeError("%s cannot cross" % secret)

class Shown:
    def __repr__(self):
        return "<connection: %s>" % secret

    def __reduce__(self):
        return "no.such.name"

def again(pid):
    if os.getpid() != pid:
        raise OSError("refused by " + os.environ["TOKEN"])
    return Again()

class Again:
    def __reduce__(self):
        return again, (os.getpid(),)

def work(thing=None):
    cuda.cuInit(0)

fork = multiprocessing.get_context("fork")
for thing in [Refuses(), Shown(), Again(), Again(), None]:
    worker = fork.Process(target=work, args=(thing,))
    worker.start()
    worker.join()
if os.fork() == 0:
    work()
    os._exit(0)
os.wait()
"#;

fn holds_none(outcome: &Outcome, names: &[&str]) {
    let events = outcome.events();
    for name in names {
        let is_there = events.iter().any(|event| event["event"] == *name);
        assert!(is_there, "no {name}\n{}", outcome.story());
    }
    for event in &events {
        assert!(!event.to_string().contains("hunter2"), "{event}");
        assert!(event.get("argv").is_none());
    }
}

/// The program, whose source is in a file: the text of a program is an argument of `-c`.
fn program(policy: &str) -> Outcome {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("secrets.py");
    fs::write(&file, PROGRAM).expect("a file");
    let program = python_with_packages(file.to_str().expect("text"));
    program
        .arg(format!("--token={SECRET}"))
        .env("TOKEN", SECRET)
        .env(
            "FORKGUARD_EXEC",
            format!("no-such-command --token={SECRET}"),
        )
        .policy(policy)
        .with_events()
        .run()
}

#[test]
fn of_forks_that_become_fresh_processes_or_do_not() {
    let outcome = program("exec,warn");
    holds_none(
        &outcome,
        &["initialised", "rewritten", "refused", "violation"],
    );
    // Each of them was met; what a fresh process says that could not be made ready, `exec_not_ready` shows.
    let refused = outcome.events_named("refused");
    let reasons: Vec<_> = refused
        .iter()
        .map(|event| event["reason"].to_string())
        .collect();
    for part in [
        "TypeError raised at",
        "Can't pickle it",
        "FORKGUARD_EXEC (no-such-command)",
    ] {
        let met = reasons.iter().any(|reason| reason.contains(part));
        assert!(met, "{part}: {reasons:#?}\n{}", outcome.story());
    }
}

#[test]
fn of_forked_processes_that_end_or_go_on() {
    holds_none(&program("abort"), &["initialised", "violation"]);
    holds_none(&program("cpu"), &["initialised", "cpu"]);
}

#[test]
fn of_a_driver_of_their_own() {
    for (scenario, names) in [("work", "revived"), ("context", "refused")] {
        let outcome = Program::reviving(scenario)
            .env("TOKEN", SECRET)
            .with_events()
            .run();
        holds_none(&outcome, &["initialised", names]);
    }
}
