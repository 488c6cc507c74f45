//! What only a trace is told: the guard's arrival in a process, a `cuInit` that failed, the first
//! context.
//!
//! The `forkguard` command watches a program by giving it `FORKGUARD_TRACE`; without that nothing
//! here does anything. It watches what a process does of its own accord, never what a forked child
//! inherited, and changes nothing about it.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::config;
use crate::lineage::{self, Moment};
use crate::report::{Noted, emit};
use crate::stack;
use crate::sys::{modules, raw};

struct Place(UnsafeCell<Moment>);

// SAFETY: written and read only by the thread that moved `TAKEN_IN` to this process.
unsafe impl Sync for Place {}

static MOMENT: Place = Place(UnsafeCell::new(Moment::EMPTY));
/// The process whose first context is told; an inherited number is another process's.
static TAKEN_IN: AtomicI32 = AtomicI32::new(0);
/// The process whose first failing `cuInit` was told.
static ATTEMPTED_IN: AtomicI32 = AtomicI32::new(0);

/// Whether anybody watches.
pub fn is_on() -> bool {
    config::get().trace().is_some()
}

/// Whether this process is the first to come here since `of` held another one's number.
fn first_of_process(of: &AtomicI32) -> bool {
    let pid = raw::getpid();
    of.swap(pid, Ordering::AcqRel) != pid
}

/// The guard is in this program: a trace tells it from one that could not be guarded.
/// Called once, by the constructor.
pub fn loaded() {
    if !is_on() {
        return;
    }
    // SAFETY: called by the constructor, before the program has a second thread.
    let moment = unsafe { &mut *MOMENT.0.get() };
    moment.stamp(c"", 0);
    emit::noted(Noted::Loaded, moment);
}

/// A `cuInit` of this process's own, called at `moment`, has failed.
pub fn attempted(moment: &Moment, code: u32) {
    if is_on() && first_of_process(&ATTEMPTED_IN) {
        emit::noted(Noted::Attempted(code), moment);
    }
}

/// `function` is about to make the first context that this process makes.
pub fn context(function: &CStr) {
    if !is_on() || lineage::is_clean() || !first_of_process(&TAKEN_IN) {
        return;
    }
    if lineage::initialised_here() {
        // The library that makes it may have come since CUDA was initialised.
        modules::refresh();
    }
    // SAFETY: the swap above lets one thread of a process come here, once.
    let moment = unsafe { &mut *MOMENT.0.get() };
    stack::capture(&mut moment.stack);
    moment.stamp(function, stack::native::caller(&moment.stack));
    emit::noted(Noted::Context, moment);
}
