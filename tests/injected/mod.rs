//! What must hold of a program, whatever becomes of the guard's own system calls: one program for each policy, what it
//! does where all goes well, and what it may do where something fails.

#![allow(dead_code, reason = "each test has a part of this")]

use std::time::Duration;

use forkguard_testkit::{Faults, Outcome, Program, Whose, python_with_packages};

/// A test of each program, for what one call at a time does to it.
#[allow(unused_macros, reason = "each test has a part of this")]
macro_rules! every_program {
    ($faults:ident) => {
        #[test]
        fn of_right_programs() {
            injected::right_programs(&$faults);
        }

        #[test]
        fn of_abort() {
            injected::abort(&$faults);
        }

        #[test]
        fn of_warn() {
            injected::warn(&$faults);
        }

        #[test]
        fn of_cpu() {
            injected::cpu(&$faults);
        }

        #[test]
        fn of_replace() {
            injected::replace(&$faults);
        }

        #[test]
        fn of_entry() {
            injected::entry(&$faults);
        }

        #[test]
        fn of_revive() {
            injected::revive(&$faults);
        }

        #[test]
        fn of_a_start() {
            injected::worker(&$faults, "0");
        }

        #[test]
        fn of_a_start_by_the_template() {
            injected::worker(&$faults, "1");
        }
    };
}
#[allow(unused_imports, reason = "each test has a part of this")]
pub(crate) use every_program;

/// What is done to each program.
pub struct What {
    /// Names of system calls.
    pub calls: &'static str,
    /// Errors that these calls may fail with, or `kill`.
    pub errors: &'static [&'static str],
    /// Every call from the one that is hit on fails.
    pub onwards: bool,
}

/// So many calls of a program that takes long are hit.
const SOME: usize = 6;

impl What {
    /// One call fails in each run.
    pub const fn once(calls: &'static str, errors: &'static [&'static str]) -> Self {
        Self {
            calls,
            errors,
            onwards: false,
        }
    }

    /// From one call on all fail.
    pub const fn for_good(calls: &'static str, errors: &'static [&'static str]) -> Self {
        Self {
            onwards: true,
            ..Self::once(calls, errors)
        }
    }

    fn of(&self, program: Program) -> Faults {
        let program = program.patience(Duration::from_secs(40));
        let faults = Faults::of(program, Whose::Guard, self.calls, self.errors);
        if self.onwards {
            faults.onwards()
        } else {
            faults
        }
    }
}

/// Lines of the guard that say what it could not do, and no more.
const NOTICES: [&str; 2] = [
    "forkguard: the configuration file /etc/forkguard.conf ",
    "forkguard: an event could not be written ",
];

/// The program ended well, and this is what it said.
fn says(outcome: &Outcome, expected: &[&str]) -> bool {
    let said: Vec<&str> = outcome.stdout.lines().collect();
    outcome.code() == Some(0) && said == expected
}

/// The program was told nothing but what the guard could not do.
fn is_silent(outcome: &Outcome) -> bool {
    let is_notice = |line: &str| NOTICES.iter().any(|notice| line.starts_with(notice));
    outcome.stderr.lines().all(is_notice)
}

/// A violation is told in full: what was done about it, all parts, and what to do.
fn is_reported(outcome: &Outcome) -> bool {
    let parts = [
        "CUDA used in a forked process",
        "1 initialised",
        "used here",
        "  fix  ",
    ];
    parts.iter().all(|part| outcome.stderr.contains(part))
}

fn wrong(what: &str) -> Result<(), String> {
    Err(what.to_owned())
}

/// A program that does this, and is told nothing.
fn right(outcome: &Outcome, stdout: &[&str]) -> Result<(), String> {
    if !says(outcome, stdout) {
        return wrong("a right program did something else");
    }
    if !is_silent(outcome) {
        return wrong("a right program was told something");
    }
    Ok(())
}

/// A configuration file that is there, or may be, and cannot be read stands for the strictest settings.
fn is_locked(outcome: &Outcome) -> bool {
    outcome.stderr.contains(NOTICES[0])
}

/// A program that does this, and whose violation is told.
fn reported(outcome: &Outcome, stdout: &[&str]) -> Result<(), String> {
    if !says(outcome, stdout) {
        return wrong("the program did something else");
    }
    if !is_reported(outcome) {
        return wrong("the violation is not told in full");
    }
    Ok(())
}

/// A fresh process that cannot begin says why, and ends: an entry's with 127, a worker of Python's with 1.
const LOST: [(&str, &str); 2] = [
    ("worker exited 127", "what it was to be told is not there"),
    ("exit code 1", "could not be made ready"),
];

/// It is served, in silence; or it is not, and the chain's next policy, `abort`, told of it; or the process that was
/// to serve it came to nothing, and said why.
fn served(outcome: &Outcome, served: &[&str], aborted: &[&str]) -> Result<(), String> {
    let is_lost = LOST.iter().any(|(dead, why)| {
        let mut stdout = aborted.to_vec();
        stdout[0] = dead;
        says(outcome, &stdout) && outcome.stderr.contains(why)
    });
    if is_lost {
        return Ok(());
    }
    right(outcome, served).or_else(|_| reported(outcome, aborted))
}

/// Somebody was killed: the program, or a child that it is told of. Nobody waits for ever, and nothing went wrong.
fn killed(outcome: &Outcome, dead: &[&str], otherwise: &[&[&str]]) -> Result<(), String> {
    let program = outcome.code() == Some(128 + 9);
    if program || says(outcome, dead) || otherwise.iter().any(|stdout| says(outcome, stdout)) {
        return Ok(());
    }
    wrong("somebody was killed, and the program did something else")
}

fn roads(scenario: &str) -> Program {
    Program::client("roads").args(["dlsym", scenario])
}

const ABORTED: [&str; 2] = ["child killed by signal 6", "parent count 0"];

/// Programs that do nothing wrong.
pub fn right_programs(what: &What) {
    what.of(roads("use")).judge(|outcome, _| {
        right(
            outcome,
            &["parent destroyed 0 0 0 0 0", "parent used the device"],
        )
    });
    what.of(roads("child-clean").with_events())
        .judge(|outcome, _| right(outcome, &["child exited 7", "parent count 0"]));
}

/// A child that uses CUDA, under `abort`; with events, which are no reason for the text to fail.
pub fn abort(what: &What) {
    what.of(roads("child-use"))
        .judge(|outcome, _| reported(outcome, &ABORTED));
    what.of(roads("child-use").with_events())
        .judge(|outcome, _| reported(outcome, &ABORTED));
}

/// The same under `warn`.
pub fn warn(what: &What) {
    what.of(roads("child-use").policy("warn"))
        .judge(|outcome, _| {
            let stdout = ["child count 3", "child exited 3", "parent count 0"];
            if is_locked(outcome) {
                reported(outcome, &ABORTED)
            } else {
                reported(outcome, &stdout)
            }
        });
}

/// The same under `cpu`.
pub fn cpu(what: &What) {
    let program = roads("child-use").policy("cpu").with_events();
    what.of(program).judge(|outcome, _| {
        let stdout = ["child count 100", "child exited 3", "parent count 0"];
        if is_locked(outcome) {
            reported(outcome, &ABORTED)
        } else {
            right(outcome, &stdout)
        }
    });
}

/// A command in the child's place.
pub fn replace(what: &What) {
    let program = roads("child-use")
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "/bin/sh -c 'exit 5'");
    what.of(program)
        .judge(|outcome, _| served(outcome, &["child exited 5", "parent count 0"], &ABORTED));
}

/// A fresh process that begins at its entry.
pub fn entry(what: &What) {
    let program = Program::client("entries").arg("throws");
    what.of(program.policy("exec,abort")).judge(|outcome, _| {
        served(
            outcome,
            &["main caught: thrown by the entry", "worker exited 8"],
            &["worker killed by signal 6"],
        )
    });
}

/// A driver of the child's own.
pub fn revive(what: &What) {
    let program = Program::client("revive").arg("work").policy("revive,abort");
    let with_devices = |program: Program| program.with_devices("");
    let faults = what.of(program).around(with_devices).at_most(SOME);
    faults.judge(|outcome, _| {
        // It was the driver's own call, on whose stack an address of the guard's was left.
        if outcome
            .stderr
            .contains("stand-in driver: its devices are not there")
        {
            return Ok(());
        }
        served(
            outcome,
            &["child worked", "child exited 7", "parent worked"],
            &["child killed by signal 6", "parent worked"],
        )
    });
}

/// What Python says when it is refused chance: its own question, which goes through the guard, and to which it gets the
/// kernel's answer.
const NO_CHANCE: [&str; 2] = ["_Py_HashRandomization_Init: failed", "os.urandom("];

/// A worker of Python's; with a template, or without.
pub fn worker(what: &What, template: &str) {
    let program = python_with_packages("injected.py")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", template);
    what.of(program).at_most(SOME).judge(|outcome, hit| {
        let no_chance = NO_CHANCE.iter().any(|said| outcome.stderr.contains(said));
        if hit.of("getrandom") && outcome.stdout.is_empty() && no_chance {
            return Ok(());
        }
        served(
            outcome,
            &["init 0 count 0", "exit code 0", "parent 0"],
            &["exit code -6", "parent 0"],
        )
    });
}

/// A worker of Python's, whose template comes to nothing.
pub fn template_of_no_use(what: &What) {
    let program = python_with_packages("exec_template_ends.py")
        .arg("thread")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1");
    what.of(program)
        .judge(|outcome, _| right(outcome, &["thread ok"]));
}

/// A program that has a template and becomes another one.
pub fn another_program(what: &What) {
    let program = python_with_packages("exec_template_unseen.py")
        .arg("other_program")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1");
    what.of(program)
        .judge(|outcome, _| right(outcome, &["other_program ok"]));
}

/// Each is killed at each of its calls: under `abort` in the program's first, second, ... process, and where others
/// die of the same cause one of them tells it in full.
pub fn kill_reporters(what: &What) {
    what.of(roads("workers")).judge(|outcome, hit| {
        if outcome.code() == Some(128 + 9) {
            return Ok(());
        }
        let dead = outcome.stdout.matches("child killed by signal ").count();
        if dead != 4 || !outcome.stdout.ends_with("parent count 0\n") {
            return wrong("not all died");
        }
        if hit.processes().any(|process| process < 4) && !is_reported(outcome) {
            return wrong("nobody tells it in full");
        }
        Ok(())
    });
}

/// The same for those who are made something else.
pub fn kill_others(what: &What) {
    let command = roads("child-use")
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "/bin/sh -c 'exit 5'");
    let dead = ["child killed by signal 9", "parent count 0"];
    what.of(command)
        .judge(|outcome, _| killed(outcome, &dead, &[&["child exited 5", "parent count 0"]]));
    what.of(roads("child-use").policy("cpu"))
        .judge(|outcome, _| killed(outcome, &dead, &[]));
    let entry = Program::client("entries").arg("throws");
    what.of(entry.policy("exec,abort")).judge(|outcome, _| {
        let dead = ["worker killed by signal 9"];
        let caught = [
            "main caught: thrown by the entry",
            "worker killed by signal 9",
        ];
        killed(outcome, &dead, &[&caught, &ABORTED])
    });
}

/// A driver of the child's own: the parent works on.
pub fn kill_revived(what: &What) {
    let program = Program::client("revive").arg("work");
    let faults = what.of(program.policy("revive,abort"));
    let faults = faults.around(|program| program.with_devices(""));
    faults.at_most(SOME).judge(|outcome, _| {
        let dead = ["child killed by signal 9", "parent worked"];
        let worked = ["child worked", "child killed by signal 9", "parent worked"];
        killed(outcome, &dead, &[&worked])
    });
}

/// A worker of Python's, its template, or their program.
pub fn kill_worker(what: &What, template: &str) {
    let program = python_with_packages("injected.py")
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", template);
    what.of(program).at_most(SOME).judge(|outcome, _| {
        let dead = ["exit code -9", "parent 0"];
        let late = ["init 0 count 0", "exit code -9", "parent 0"];
        let served = ["init 0 count 0", "exit code 0", "parent 0"];
        killed(outcome, &dead, &[&late, &served])
    });
}

/// Whatever becomes of one piece of the report, the policy acts, and the report is told: in full on standard error,
/// or as an event.
pub fn told_somewhere(what: &What) {
    what.of(roads("child-use").with_events())
        .judge(|outcome, _| {
            if !says(outcome, &ABORTED) {
                return wrong("the program did something else");
            }
            let events = outcome.events_named("violation");
            if events.len() != 1 && !is_reported(outcome) {
                return wrong("the violation is not told");
            }
            Ok(())
        });
}
