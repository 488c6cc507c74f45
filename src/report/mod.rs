//! The report: what it says ([`Violation`]), as text, as JSON, and where it goes.
//!
//! Everything here runs in a forked child that may hold any lock for ever: it formats into fixed
//! buffers and writes with `write(2)`. No allocation, no lock, no loader.

pub mod advice;
pub mod buffer;
mod delivery;
pub mod emit;
pub mod failure;
pub mod frames;
pub mod json;
pub mod limit;
pub mod native;
mod no_signal;
pub mod open;
pub mod place;
#[cfg(test)]
mod sample;
pub mod scene;
pub mod sink;
pub mod text;
pub mod turn;

use crate::lineage::{Fork, Moment};
use crate::report::limit::Admitted;

/// What forkguard does about a violation, for the report's first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The process is about to end: by `SIGABRT`, or with this exit code.
    Abort(Option<u8>),
    /// The call goes on and fails as it would.
    Warn,
    /// The same, and nobody but a trace is told: nothing was to be done.
    Watch,
}

/// What only a trace is told: that which is no violation and of no interest to anybody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// The guard is in the process.
    Loaded,
    /// A `cuInit` that failed with this code.
    Attempted(u32),
    /// A context was about to be made: CUDA is used, not only asked.
    Context,
}

/// How the child touched CUDA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A call of the driver, which the driver refuses with `CUDA_ERROR_NOT_INITIALIZED`.
    DriverCall,
    /// PyTorch's own check, which raises before any driver call.
    TorchRefusal,
    /// A call of XLA's plugin, whose threads do not exist in the child: it would hang.
    XlaCall,
}

/// CUDA used in a forked process: everything a report says.
pub struct Violation<'a> {
    /// What is done about it.
    pub action: Action,
    /// The policy's name as the user wrote it (`abort`, `warn`).
    pub policy: &'a str,
    /// How CUDA was touched.
    pub kind: Kind,
    /// Where the driver was initialised. `None` never happens in a report of a violation.
    pub initialised: &'a Moment,
    /// `cuInit` had not yet returned when the fork was made.
    pub initialising: bool,
    /// A context was created before the fork: the parent used CUDA, it did not only ask.
    pub context: bool,
    /// The forks from there to here, oldest first. Empty when the fork was not seen (a raw
    /// `clone`).
    pub forks: &'a [&'a Fork],
    /// Where it was used here: the call being refused.
    pub used: &'a Moment,
    /// The process that already told this very cause in full, if a sibling did.
    pub told_by: Option<i32>,
    /// How many processes told this cause before this one.
    pub repeats: u32,
    /// What its event tells of others; `None` where the family has written too many.
    pub admitted: Option<Admitted>,
    /// Why this process is a fork and no fresh one, where `exec` was asked for.
    pub refusal: Option<&'a str>,
    /// Why it has no driver of its own, where `revive` was asked for.
    pub not_revived: Option<&'a str>,
}

/// How a forked process that used CUDA was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// CUDA is absent in it.
    Absent,
    /// It has a driver of its own.
    Revived {
        /// Microseconds that it took besides the driver's own initialisation.
        took_us: u64,
        /// Microseconds of the driver's own initialisation.
        driver_us: u64,
    },
    /// It has none, for the reason that [`crate::policy::revive::refusal`] gives.
    NotRevived,
}

/// A forked process that used CUDA and was served, or could not be: what an event says of it.
pub struct Served<'a> {
    /// How.
    pub service: Service,
    /// Where the driver had been initialised.
    pub initialised: &'a Moment,
    /// A context had been created before the fork.
    pub context: bool,
    /// The forks from there to here, oldest first.
    pub forks: &'a [&'a Fork],
    /// Where it was used here first.
    pub used: &'a Moment,
}

impl Violation<'_> {
    /// Whether the process is about to end, and may be held up for its report.
    pub fn ends(&self) -> bool {
        matches!(self.action, Action::Abort(_))
    }
}

/// Processes that are listed, a line each, after the one that told a cause in full. A pool that
/// replaces its dying workers makes them without end.
pub const LISTED: u32 = 20;
