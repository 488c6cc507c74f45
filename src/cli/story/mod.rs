//! What the events of one run say, process by process: who initialised CUDA or tried to, where, by
//! which imports, whether it was used or only asked about, and which forked children used it.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod place;
pub mod results;
mod text;

use std::path::Path;

use serde::Serialize;

pub use text::{fix, headline, processes};

use crate::event::{Event, Moment};
use crate::time::Stamp;
use crate::watch::Watched;

/// What one process did.
#[derive(Serialize)]
pub struct Process {
    /// Its number, as its own pid namespace has it.
    pub pid: i32,
    /// Its parent's.
    pub ppid: i32,
    /// What it was started as.
    pub argv0: String,
    /// Its executable.
    pub exe: String,
    /// It initialised CUDA.
    pub initialised: Option<Seen>,
    /// It tried to, and the driver answered an error.
    pub attempted: Option<Attempt>,
    /// It made a context: CUDA was used, not only asked about.
    pub context: Option<Seen>,
    /// It used CUDA after it was forked from a process that had initialised it.
    pub used_after_fork: Option<AfterFork>,
}

/// Something that was seen.
#[derive(Serialize)]
pub struct Seen {
    /// Milliseconds since the program was started.
    pub since_start_ms: Option<i64>,
    /// The line to look at: `pkg/gpu.py:4`.
    pub place: Option<String>,
    /// The lines that imported one another, outermost first, where it happened in an import.
    pub imports: Vec<String>,
    /// All that is known of it.
    #[serde(flatten)]
    pub moment: Moment,
}

/// A `cuInit` that failed.
#[derive(Serialize)]
pub struct Attempt {
    /// The driver's answer.
    pub code: u32,
    /// Its name, where it is a known one.
    pub result: Option<&'static str>,
    /// Where.
    #[serde(flatten)]
    pub seen: Seen,
}

/// CUDA used in a forked process.
#[derive(Serialize)]
pub struct AfterFork {
    /// What came of it: `violation`, `cpu`, `revived`.
    pub outcome: String,
    /// The process that had initialised CUDA.
    pub initialised_in: Option<i32>,
    /// Where the fork was.
    pub forked: Option<Seen>,
    /// What to do about it.
    pub advice: Vec<String>,
    /// Where CUDA was used.
    #[serde(flatten)]
    pub seen: Seen,
}

impl Process {
    /// A process of which only this event is known.
    fn of(event: &Event) -> Self {
        Self {
            pid: event.pid,
            ppid: event.ppid,
            argv0: event.argv0.clone(),
            exe: event.exe.clone(),
            initialised: None,
            attempted: None,
            context: None,
            used_after_fork: None,
        }
    }

    /// Where it first initialised CUDA, or tried to.
    pub fn first(&self) -> Option<&Seen> {
        let attempt = self.attempted.as_ref().map(|attempt| &attempt.seen);
        self.initialised.as_ref().or(attempt)
    }

    /// Whether another event of this name belongs to a later program of the same number.
    fn has(&self, name: &str) -> bool {
        match name {
            "initialised" => self.initialised.is_some(),
            "attempted" => self.attempted.is_some() || self.initialised.is_some(),
            "context" => self.context.is_some(),
            _ => self.used_after_fork.is_some(),
        }
    }
}

/// The processes that had to do with CUDA, in the order in which they came to it. `cwd` is where
/// the program was started: its own files are named from there.
pub fn tell(watched: &Watched, cwd: &Path) -> Vec<Process> {
    let mut all: Vec<Process> = Vec::new();
    for event in &watched.events {
        let seen = |moment: &Moment| Seen::of(moment, watched, cwd);
        let name = event.name.as_str();
        let known = matches!(
            name,
            "initialised" | "attempted" | "context" | "violation" | "cpu" | "revived"
        );
        if !known {
            continue;
        }
        let of_same = |process: &Process| process.pid == event.pid && !process.has(name);
        let place = all.iter().rposition(of_same).unwrap_or(all.len());
        if place == all.len() {
            all.push(Process::of(event));
        }
        let process = &mut all[place];
        match name {
            "initialised" => process.initialised = event.initialised.as_ref().map(seen),
            "attempted" => {
                process.attempted = event.used.as_ref().map(|used| {
                    let code = event.code.unwrap_or_default();
                    Attempt {
                        code,
                        result: results::name(code),
                        seen: seen(used),
                    }
                });
            }
            "context" => process.context = event.used.as_ref().map(seen),
            _ => {
                process.used_after_fork = event.used.as_ref().map(|used| AfterFork {
                    outcome: event.name.clone(),
                    initialised_in: event.initialised.as_ref().map(|moment| moment.pid),
                    forked: event.forked.as_ref().map(seen),
                    advice: event.advice.clone(),
                    seen: seen(used),
                });
            }
        }
    }
    all
}

impl Seen {
    fn of(moment: &Moment, watched: &Watched, cwd: &Path) -> Self {
        let started = Stamp(watched.started.as_millis() as i64);
        let imports = place::imports(&moment.python);
        let place = place::culprit(&moment.python, &imports);
        Self {
            // The clock may have been set meanwhile.
            since_start_ms: Stamp::parse(&moment.time).map(|at| started.until(at).0.max(0)),
            place: place.map(|frame| place::line(frame, cwd)),
            imports: imports
                .iter()
                .map(|frame| place::line(frame, cwd))
                .collect(),
            moment: moment.clone(),
        }
    }
}
