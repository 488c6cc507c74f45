//! `cpu`: CUDA is absent in the forked child.
//!
//! Prepared at the fork, because frameworks answer from what their parent saw and never ask again:
//! the variable that hides devices is set before the program's code runs in the child, and Python's
//! frameworks are told there ([`crate::python::absent`]). At a use of the driver its answer is "no
//! device". Runs in a forked child: no lock, no heap.

use core::sync::atomic::{AtomicI32, Ordering};

use forkguard_record::State;

use super::{Call, Verdict, revive, violation};
use crate::config::{self, Policy};
use crate::gate::answers::NO_DEVICE;
use crate::record;
use crate::report::Service;
use crate::sys::{environment, raw};

/// The process in which CUDA is absent, 0 for none; a forked child that inherits the number is not
/// that process.
static ABSENT_IN: AtomicI32 = AtomicI32::new(0);
/// The process that has told of it.
static TOLD_BY: AtomicI32 = AtomicI32::new(0);

/// In a forked child, before the program's code: whether CUDA is to be absent in it. It is not said
/// here what may be said later: where another policy of the chain may yet serve this child, its
/// environment stays.
pub fn after_fork() {
    let config = config::get();
    let serves = || {
        config.chain().iter().find(|policy| match policy {
            // This is a fork: `exec` has refused it, or what is to run in its place comes later.
            Policy::Exec => config.in_place().is_some(),
            Policy::Revive => !revive::would_refuse(),
            _ => true,
        })
    };
    if config.may_be_absent() && serves() == Some(&Policy::Cpu) {
        begin();
    }
}

/// Whether CUDA is absent in this process.
pub fn is_absent() -> bool {
    ABSENT_IN.load(Ordering::Relaxed) == raw::getpid()
}

fn begin() {
    if ABSENT_IN.swap(raw::getpid(), Ordering::Relaxed) != raw::getpid() {
        environment::hide_devices();
    }
}

/// Answers in the driver's place.
pub fn act(call: &Call<'_>) -> Verdict {
    begin();
    if TOLD_BY.swap(raw::getpid(), Ordering::Relaxed) != raw::getpid() {
        record::served(State::Absent);
        violation::serve(call, || Service::Absent);
    }
    Verdict::Answer(NO_DEVICE)
}
