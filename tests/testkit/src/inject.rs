//! Lets each system call of a program fail in a run of its own, or kills who makes it: `clients/inject.c` does it.
//!
//! `FORKGUARD_TEST_FAULTS=all` makes every error of every call a run (`scripts/check-faults`), and `K/N` those of the
//! Kth of every N calls, so that what takes hours can be done in pieces; without it some calls are hit, each once, by
//! one of the errors in turn, so that the tests stay short. `FORKGUARD_TEST_FAULTS_TOLD` names a file that gets a line
//! for each program: how many calls it makes, how many were hit, in how many runs.

use crate::{Outcome, Program, client};
use std::io::Write;
use std::{env, fmt, fs};

/// Wrong runs after which there is no use in going on.
const ENOUGH: usize = 8;

/// Whose system calls are hit.
#[derive(Clone, Copy)]
pub enum Whose {
    /// The guard's own.
    Guard,
    /// Those of the program and of its libraries.
    Program,
}

/// What was done to a run.
pub struct Hit {
    /// As `inject` is told it.
    plan: String,
    /// The lines that `inject` told: number, process, name.
    told: String,
}

impl Hit {
    /// The processes whose calls were hit, 0 the first.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        let lines = self.told.lines();
        lines.filter_map(|line| line.split(' ').nth(1)?.parse().ok())
    }

    /// Whether it was a call of this name, or began with one.
    pub fn of(&self, name: &str) -> bool {
        let first = self.told.lines().next();
        first.and_then(|line| line.split(' ').nth(2)) == Some(name)
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INJECT=\"{}\" hit {:?}", self.plan, self.told)
    }
}

/// Runs of one program, in each of which other system calls are hit.
#[must_use = "nothing is run until a judge is given"]
pub struct Faults {
    program: Program,
    around: fn(Program) -> Program,
    whose: Whose,
    calls: &'static str,
    errors: &'static [&'static str],
    onwards: bool,
    most: usize,
}

impl Faults {
    /// Of this program, by these names of calls and of errors (or `kill`).
    pub fn of(
        program: Program,
        whose: Whose,
        calls: &'static str,
        errors: &'static [&'static str],
    ) -> Self {
        Self {
            program,
            around: |program| program,
            whose,
            calls,
            errors,
            onwards: false,
            most: 24,
        }
    }

    /// All calls from the one that is hit on are hit as well: what ran out has run out for good.
    pub fn onwards(self) -> Self {
        Self {
            onwards: true,
            ..self
        }
    }

    /// The program is run so; what is done for that has no faults.
    pub fn around(self, around: fn(Program) -> Program) -> Self {
        Self { around, ..self }
    }

    /// No more than so many calls are hit, spread over all, unless each is asked for.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Hits one after the other until there is none left, and has each run judged: an error is what is wrong with it.
    /// Fails with all that was wrong.
    #[track_caller]
    pub fn judge(&self, judge: impl Fn(&Outcome, &Hit) -> Result<(), String>) {
        let asked = asked();
        let mut wrong = Vec::new();
        let mut hits = 0;
        let mut runs = 0;
        let calls: usize = self
            .run("kill", 0)
            .1
            .told
            .trim()
            .parse()
            .expect("a number of calls");
        let (first, step) = asked.unwrap_or((1, calls.div_ceil(self.most).max(1)));
        'calls: for number in (first..=calls).step_by(step) {
            let errors = if asked.is_some() {
                self.errors
            } else {
                let turn = hits % self.errors.len();
                &self.errors[turn..=turn]
            };
            for error in errors {
                let (outcome, hit) = self.run(error, number);
                // Of processes that run at the same time one may make fewer calls than it did.
                if hit.told.is_empty() {
                    continue 'calls;
                }
                runs += 1;
                if let Err(what) = judge(&outcome, &hit) {
                    wrong.push(format!("{what}: {hit}\n{}", outcome.story()));
                }
                if wrong.len() == ENOUGH {
                    break 'calls;
                }
            }
            hits += 1;
        }
        let told = wrong.join("\n");
        assert!(wrong.is_empty(), "after {runs} runs\n{told}");
        if let Some(path) = env::var_os("FORKGUARD_TEST_FAULTS_TOLD") {
            let file = fs::OpenOptions::new().append(true).create(true).open(path);
            let mut file = file.expect("the file for what was done");
            let line = format!("{calls} {hits} {runs} {}\n", self.program.shown());
            file.write_all(line.as_bytes()).expect("a line of it");
        }
    }

    fn run(&self, error: &str, number: usize) -> (Outcome, Hit) {
        let told = tempfile::NamedTempFile::new().expect("a file for what is hit");
        let whose = match self.whose {
            Whose::Guard => "guard",
            Whose::Program => "program",
        };
        let onwards = if self.onwards { "+" } else { "" };
        let plan = format!("{whose} {} {error} {number}{onwards}", self.calls);
        let program = self.program.clone().under(client("inject"));
        let program = (self.around)(program).env("INJECT", &plan);
        let outcome = program.env("INJECT_TOLD", told.path()).run();
        let hit = Hit {
            plan,
            told: fs::read_to_string(told.path()).expect("what was hit"),
        };
        (outcome, hit)
    }
}

/// Which calls are to be hit by every error: the first one, and how many further the next is.
fn asked() -> Option<(usize, usize)> {
    let asked = env::var("FORKGUARD_TEST_FAULTS").ok()?;
    let piece = if asked == "all" { "1/1" } else { &asked };
    let numbers = piece.split_once('/').and_then(|(first, step)| {
        let (first, step) = (first.parse().ok()?, step.parse().ok()?);
        (1..=step).contains(&first).then_some((first, step))
    });
    assert!(
        numbers.is_some(),
        "FORKGUARD_TEST_FAULTS is `all` or K/N, not {asked}"
    );
    numbers
}
