//! Violations for the tests of the report.

use super::limit::Admitted;
use super::{Action, Kind, Violation};
use crate::lineage::{Fork, Moment};
use crate::stack::PythonFrames;

/// A Python stack, innermost first: file, line, function.
pub type Lines<'a> = &'a [(&'a str, u32, &'a str)];

/// 2026-11-21T07:15:00.250Z.
const EPOCH_NS: u64 = 1_795_245_300_250_000_000;

/// A moment of `pid`'s main thread, `after_ms` after the first one.
pub fn moment(pid: i32, function: &str, after_ms: u64, lines: Lines<'_>) -> Box<Moment> {
    let mut moment = Box::new(Moment::EMPTY);
    moment.pid = pid;
    moment.tid = pid;
    moment.unix_ns = EPOCH_NS + after_ms * 1_000_000;
    moment.monotonic_ns = 5_000_000_000 + after_ms * 1_000_000;
    moment.function[..function.len()].copy_from_slice(function.as_bytes());
    moment.stack.python = PythonFrames::sample(lines);
    moment
}

/// The three places of a violation, kept together.
pub struct Story {
    pub initialised: Box<Moment>,
    pub forks: Vec<Fork>,
    pub used: Box<Moment>,
    pub action: Action,
    pub kind: Kind,
    pub context: bool,
    pub initialising: bool,
    pub told_by: Option<i32>,
    /// How many processes told before.
    pub repeats: u32,
    pub refusal: Option<&'static str>,
    pub not_revived: Option<&'static str>,
}

impl Story {
    /// Initialised in 4200, forked 2.31 s later, used in 4242.
    pub fn new(initialised: Lines<'_>, forked: Lines<'_>, used: Lines<'_>) -> Self {
        Self {
            initialised: moment(4200, "cuInit", 0, initialised),
            forks: vec![Fork {
                at: *moment(4200, "fork", 2310, forked),
                child: 4242,
            }],
            used: moment(4242, "cuCtxGetDevice", 2400, used),
            action: Action::Abort(None),
            kind: Kind::DriverCall,
            context: false,
            initialising: false,
            told_by: None,
            repeats: 0,
            refusal: None,
            not_revived: None,
        }
    }

    /// Lends the violation.
    pub fn tell<T>(&self, with: impl FnOnce(&Violation<'_>) -> T) -> T {
        let forks: Vec<&Fork> = self.forks.iter().collect();
        with(&Violation {
            action: self.action,
            policy: if self.action == Action::Warn {
                "warn"
            } else {
                "abort"
            },
            kind: self.kind,
            initialised: &self.initialised,
            initialising: self.initialising,
            context: self.context,
            forks: &forks,
            used: &self.used,
            told_by: self.told_by,
            repeats: self.repeats,
            admitted: Some(Admitted::default()),
            refusal: self.refusal,
            not_revived: self.not_revived,
        })
    }
}

pub const TORCH: &str = "/opt/venv/lib/python3.12/site-packages/torch/cuda/__init__.py";
pub const MODULE: &str = "/opt/venv/lib/python3.12/site-packages/torch/nn/modules/module.py";
pub const POPEN: &str = "/usr/lib/python3.12/multiprocessing/popen_fork.py";
pub const POOL: &str = "/usr/lib/python3.12/multiprocessing/pool.py";
pub const PROCESS: &str = "/usr/lib/python3.12/multiprocessing/process.py";
pub const IMPORT: (&str, u32, &str) = ("<frozen importlib._bootstrap>", 241, "_find_and_load");

pub const INITIALISED: Lines<'static> = &[
    (TORCH, 174, "is_available"),
    ("/home/me/app.py", 12, "<module>"),
];
pub const FORKED: Lines<'static> = &[
    (POPEN, 66, "_launch"),
    (POPEN, 19, "__init__"),
    (POOL, 329, "_repopulate_pool"),
    ("/home/me/app.py", 31, "main"),
    ("/home/me/app.py", 40, "<module>"),
];
pub const USED: Lines<'static> = &[
    (TORCH, 398, "_lazy_init"),
    (MODULE, 915, "_apply"),
    (MODULE, 1050, "cuda"),
    ("/home/me/worker.py", 9, "load"),
    (POOL, 125, "worker"),
    (PROCESS, 314, "_bootstrap"),
    (POPEN, 71, "_launch"),
    ("/home/me/app.py", 31, "main"),
];

/// The report of design's example.
pub fn example() -> Story {
    Story::new(INITIALISED, FORKED, USED)
}
