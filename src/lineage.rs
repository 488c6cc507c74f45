//! What this process knows of CUDA: whether it, or the process it was forked from, initialised
//! the driver, and where; and by which forks it came to be.
//!
//! Everything lives in preallocated memory that a forked child inherits as it was, and is read
//! there without a lock. Writers are few: the threads that first call `cuInit`
//! ([`initialisation`](mod@forkguard_protocol::initialisation)), and each forking thread, which claims
//! a record of its own ([`forkguard_protocol::forks`]).

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forkguard_protocol::early::Early;
use forkguard_protocol::forks::Forks;
use forkguard_protocol::initialisation::{self, Initialisation, Moments};
use forkguard_protocol::sync::Cell;

use crate::gate::{self, Standing};
use crate::policy::{cpu, exec, teardown};
use crate::stack::{self, Stack};
use crate::sys::{modules, raw, thread};
use crate::{config, family, python, record, revive, siblings, template, trace};

/// Longest function name kept, its NUL included.
pub const FUNCTION_NAME: usize = 64;
/// Forks recorded at a time: those under way in this process, and those of its line.
pub const FORKS: usize = 24;
/// Forks of one line that are kept; of a longer line the middle is left out.
const CHAIN: usize = 12;

/// Something that happened, where, and by whom. In the order of its fields: what is another each
/// time comes first.
#[derive(Clone)]
#[repr(C)]
pub struct Moment {
    /// The process, as its own pid namespace numbers it.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The thread's kernel name, NUL-padded.
    pub thread: [u8; 16],
    /// Nanoseconds since the epoch.
    pub unix_ns: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`, to say how long one moment was before another.
    pub monotonic_ns: u64,
    /// The function called, NUL-padded (`cuInit`, `fork`, …).
    pub function: [u8; FUNCTION_NAME],
    /// The address the call returns to: the library through which it came.
    pub caller: usize,
    /// The stack.
    pub stack: Stack,
}

impl Moment {
    /// A moment at which nothing happened.
    pub const EMPTY: Self = Self {
        pid: 0,
        tid: 0,
        thread: [0; 16],
        unix_ns: 0,
        monotonic_ns: 0,
        function: [0; FUNCTION_NAME],
        caller: 0,
        stack: Stack::EMPTY,
    };

    /// The function's name.
    pub fn function(&self) -> &str {
        text(&self.function)
    }

    /// The thread's name: `MainThread` for a process's first thread, as Python has it.
    pub fn thread(&self) -> &str {
        if self.pid == self.tid {
            "MainThread"
        } else {
            text(&self.thread)
        }
    }

    /// What it has in common with a moment at the same line of the program, and with the same
    /// `kind` of thing that happened there (FNV-1a).
    pub fn cause(&self, kind: &[u8]) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |bytes: &[u8]| {
            for &byte in bytes {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        mix(kind);
        for frame in self.stack.python.iter().take(8) {
            mix(frame.file.as_bytes());
            mix(&frame.line.to_le_bytes());
        }
        if self.stack.python.is_empty() {
            mix(&self.caller.to_le_bytes());
        }
        hash
    }

    /// Fills in who and when, without the stack.
    pub fn stamp(&mut self, function: &CStr, caller: usize) {
        self.pid = raw::getpid();
        self.tid = raw::gettid();
        self.thread = raw::thread_name();
        self.unix_ns = raw::clock_ns(libc::CLOCK_REALTIME);
        self.monotonic_ns = raw::clock_ns(libc::CLOCK_MONOTONIC);
        self.function = [0; FUNCTION_NAME];
        let name = function.to_bytes();
        let len = name.len().min(FUNCTION_NAME - 1);
        self.function[..len].copy_from_slice(&name[..len]);
        self.caller = caller;
    }
}

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("?")
}

/// One fork on the way from the process that initialised CUDA to this one.
#[derive(Clone)]
#[repr(C)]
pub struct Fork {
    /// The child's pid; 0 until it is known.
    pub child: i32,
    /// Where the parent was; `function` is the fork function called.
    pub at: Moment,
}

/// `CUDA_SUCCESS`.
const SUCCESS: u32 = 0;

static INITIALISATION: Initialisation = Initialisation::new();
static MOMENTS: Moments<Moment> = Moments::new([const { Cell::new(Moment::EMPTY) }; 2]);
static CONTEXT: Early = Early::new();
static OBJECT: AtomicBool = AtomicBool::new(false);
/// The address of code that was given an export table, 0 for none: in the process that initialised
/// CUDA …
static RUNTIME_API: AtomicUsize = AtomicUsize::new(0);
/// … and in a forked child of it, before it has a driver of its own.
static RUNTIME_API_HERE: AtomicUsize = AtomicUsize::new(0);
/// Set in a process with a driver of its own that has inherited handles of another one's.
static FOREIGN_HANDLES: AtomicBool = AtomicBool::new(false);

static KEPT: Forks<Fork, FORKS, CHAIN> = Forks::new(
    [const {
        Cell::new(Fork {
            child: 0,
            at: Moment::EMPTY,
        })
    }; FORKS],
);

/// Whether nobody in this process's line has initialised CUDA, or is about to.
pub fn is_clean() -> bool {
    INITIALISATION.is_clean()
}

/// Whether `cuInit` had begun and not returned (as a forked child sees it: never will).
pub fn is_initialising() -> bool {
    INITIALISATION.is_under_way()
}

/// Whether this very process has initialised CUDA, and recorded it. (A number that comes again does no
/// harm: one that has forked since is told by the gate's table.)
pub fn initialised_here() -> bool {
    INITIALISATION
        .owner()
        .is_some_and(|owner| owner == raw::getpid())
}

/// Notes that a context was created: the process uses CUDA, it does not only ask.
pub fn note_context() {
    CONTEXT.note(record::note_context);
}

/// The family's record is there: says in it what was noted before.
pub fn note_earlier_context() {
    CONTEXT.catch_up(record::note_context);
}

/// Whether a context was created.
pub fn has_context() -> bool {
    CONTEXT.is_noted()
}

/// Notes that something was created that has a handle and needs no context.
pub fn note_object() {
    OBJECT.store(true, Ordering::Relaxed);
}

/// Whether something was.
pub fn has_object() -> bool {
    OBJECT.load(Ordering::Relaxed)
}

/// Notes that a runtime API (libcudart, linked or loaded) is present: the code at `caller`.
pub fn note_runtime_api(caller: usize) {
    let place = match gate::standing() {
        Standing::Own => &RUNTIME_API,
        Standing::Forked => &RUNTIME_API_HERE,
    };
    let _ = place.compare_exchange(0, caller, Ordering::Relaxed, Ordering::Relaxed);
}

/// The code of the runtime API that was present where CUDA was initialised.
pub fn runtime_api() -> Option<usize> {
    Some(RUNTIME_API.load(Ordering::Relaxed)).filter(|&caller| caller != 0)
}

/// Whether this process has a driver of its own and handles of another process's driver, which
/// nothing but its end may still touch.
pub fn has_foreign_handles() -> bool {
    FOREIGN_HANDLES.load(Ordering::Relaxed)
}

/// A fork of which nothing is known. (10 KB: none may stand on the stack, which may be a thread's
/// 16 KB; and in a cell, for what never changes would stand in the library's file.)
pub fn nowhere() -> &'static Fork {
    struct Nowhere(UnsafeCell<Fork>);
    // SAFETY: nobody writes it.
    unsafe impl Sync for Nowhere {}
    static NOWHERE: Nowhere = Nowhere(UnsafeCell::new(Fork {
        at: Moment::EMPTY,
        child: 0,
    }));
    // SAFETY: as above.
    unsafe { &*NOWHERE.0.get() }
}

/// Where CUDA was initialised; empty where the record was not finished when the fork was made.
pub fn initialisation() -> &'static Moment {
    // SAFETY: these moments are this initialisation's, here and below.
    unsafe { INITIALISATION.told(&MOMENTS) }.unwrap_or(&nowhere().at)
}

/// A `cuInit` under way.
pub struct Attempt {
    function: &'static CStr,
    attempt: initialisation::Attempt,
}

fn note_place(moment: &mut Moment, function: &CStr) {
    stack::capture(&mut moment.stack);
    moment.stamp(function, stack::native::caller(&moment.stack));
}

/// Records where `cuInit` is called, before it is: a fork that another thread makes meanwhile
/// inherits a half-initialised driver.
pub fn begin_initialisation(function: &'static CStr) -> Attempt {
    let note = |moment: &mut Moment| {
        modules::refresh();
        python::prepare();
        note_place(moment, function);
    };
    // SAFETY: as in `initialisation`.
    let attempt = unsafe { INITIALISATION.begin(&MOMENTS, note) };
    Attempt { function, attempt }
}

impl Attempt {
    /// The call has returned. A failing `cuInit` initialises nothing.
    pub fn finish(self, result: u32) {
        let Self { function, attempt } = self;
        let succeeded = result == SUCCESS;
        if !succeeded && attempt.is_first() {
            trace::attempted(initialisation(), result);
        }
        // Another thread was first, and its call has not succeeded: this one is where CUDA was
        // initialised.
        let note = |moment: &mut Moment| note_place(moment, function);
        // SAFETY: as in `initialisation`.
        if !unsafe { INITIALISATION.finish(attempt, succeeded, raw::getpid(), &MOMENTS, note) } {
            return;
        }
        siblings::prepare();
        family::prepare();
        // The driver has loaded libraries of its own.
        modules::refresh();
        teardown::prepare();
        record::begin(initialisation());
        crate::report::emit::initialised(initialisation());
        python::torch::initialised();
        python::audit::arm();
        python::template::initialised();
        python::absent::initialised();
    }
}

/// The forks from the process that initialised CUDA to this one, oldest first.
pub fn forks(into: &mut [Option<&'static Fork>; CHAIN + 1]) -> usize {
    let mut len = 0;
    // A handler that runs inside `fork`, in the child, comes before the record is in the line.
    let pending = thread::current().forking.get() as usize;
    for index in KEPT.line().chain(pending.checked_sub(1)) {
        // SAFETY: these records were written before the fork that made this process, or by this thread.
        into[len] = unsafe { KEPT.record(index) };
        len += 1;
    }
    len
}

/// Whether this process was made by a fork that was seen, and not by another system call since.
pub fn was_forked_here() -> bool {
    if thread::current().forking.get() != 0 {
        // A handler that runs inside of `fork`, in the child.
        return true;
    }
    let mut found: [Option<&'static Fork>; FORKS_GIVEN] = [None; FORKS_GIVEN];
    let count = forks(&mut found);
    let last = found[..count].last().copied().flatten();
    last.is_some_and(|fork| fork.child == raw::getpid())
}

/// This forked process has a driver of its own: it is where CUDA was initialised, by a call of
/// `function` that returns to `caller`, and no fork led to it from there.
pub fn restart(function: &CStr, caller: usize) {
    let note = |moment: &mut Moment| {
        moment.stack.native_len = 0;
        stack::python::capture(&mut moment.stack.python);
        if stack::native::is_safe() {
            stack::native::capture(&mut moment.stack);
        }
        moment.stamp(function, caller);
    };
    let had_context = CONTEXT.forget();
    if OBJECT.swap(false, Ordering::Relaxed) || had_context {
        FOREIGN_HANDLES.store(true, Ordering::Relaxed);
    }
    // One of the parent's that is here at this point has outlived the driver's new start.
    let here = RUNTIME_API_HERE.swap(0, Ordering::Relaxed);
    let _ = RUNTIME_API.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
    // SAFETY: as in `initialisation`. The thread that revives has a lock, and does so once; a call of
    // `cuInit` in this process came to the gate before, and waits for that.
    unsafe { INITIALISATION.restart(raw::getpid(), &MOMENTS, note) };
    KEPT.forget_line();
    let pending = thread::current().forking.replace(0) as usize;
    if let Some(index) = pending.checked_sub(1) {
        KEPT.give_back(index);
    }
}

/// How many forks [`forks`] can give.
pub const FORKS_GIVEN: usize = CHAIN + 1;

/// The slot of this process in its family's record, where it was made by a fork that was seen.
pub fn slot() -> Option<usize> {
    if !was_forked_here() {
        return None;
    }
    let pending = thread::current().forking.get() as usize;
    let pending = pending.checked_sub(1).filter(|&index| {
        // SAFETY: this thread wrote it before the fork. A handler that runs inside of `fork` may be in
        // the parent as well.
        let fork = unsafe { KEPT.record(index) };
        fork.is_some_and(|fork| fork.at.pid != raw::getpid())
    });
    let index = pending.or_else(|| KEPT.line().next_back())?;
    let slot = KEPT.number(index)? as usize;
    slot.checked_sub(1)
}

/// A fork that is about to be made.
pub struct Forking {
    record: Option<usize>,
    slot: Option<record::Forking>,
    /// What the thread has claimed for a fork that this one is made in the middle of: by a handler that
    /// runs inside of `fork`. As in the thread's own block.
    outer: u32,
}

/// Records where a fork is made, if it matters: before initialisation it does not.
pub fn begin_fork(function: &CStr) -> Option<Forking> {
    if is_clean() || thread::current().in_driver.get() != 0 || config::get().is_off() {
        return None;
    }
    modules::refresh();
    teardown::prepare();
    python::prepare();
    let outer = thread::current().forking.get();
    let Some(index) = KEPT.claim() else {
        if !stack::native::in_handler() {
            python::before_fork();
        }
        return Some(Forking {
            record: None,
            slot: None,
            outer,
        });
    };
    let write = |fork: &mut Fork| {
        let elsewhere = stack::capture(&mut fork.at.stack);
        fork.at
            .stamp(function, stack::native::caller(&fork.at.stack));
        fork.child = 0;
        let slot = record::before_fork(&fork.at, index, elsewhere);
        (slot, fork.at.stack.in_handler)
    };
    // SAFETY: claimed by this thread.
    let (slot, in_handler) = unsafe { KEPT.write(index, write) }.unwrap_or_default();
    if !in_handler {
        python::before_fork();
    }
    KEPT.set_number(
        index,
        slot.as_ref().map_or(0, |slot| slot.index() as u32 + 1),
    );
    thread::current().forking.set(index as u32 + 1);
    Some(Forking {
        record: Some(index),
        slot,
        outer,
    })
}

impl Forking {
    /// In the parent, the child made or not: the fork answered `child`.
    pub fn in_parent(self, child: i32) {
        if let Some(slot) = self.slot {
            slot.in_parent(child);
        }
        thread::current().forking.set(self.outer);
        exec::forget_refusal();
        if let Some(index) = self.record {
            KEPT.give_back(index);
        }
    }

    /// In the child: the record becomes part of this process's line.
    pub fn in_child(self) {
        // A handler that ran inside of `fork` may have got this process a driver of its own.
        let revived = thread::current().forking.replace(0) == 0 && self.record.is_some();
        exec::keep_refusal();
        modules::after_fork();
        teardown::after_fork();
        template::wait::after_fork();
        if let Some(index) = self.record.filter(|_| !revived) {
            let pid = raw::getpid();
            self.adopt_outer(index);
            // SAFETY: claimed by the thread that this process is a copy of; nobody else is here.
            unsafe { KEPT.write(index, |fork| fork.child = pid) };
            if let Some(slot) = self.slot {
                slot.in_child(pid);
            }
            KEPT.adopt(index);
        }
        // What other threads of the parent had claimed, nobody here will give back.
        KEPT.give_back_others(record::forget_place);
        if !revived {
            revive::after_fork();
            cpu::after_fork();
        }
    }
    /// In the child of a handler that ran inside of `fork` in a child: that fork led here, too, and was not
    /// in the line yet. (Where the handler ran in the parent, it did not.)
    fn adopt_outer(&self, index: usize) {
        let Some(outer) = (self.outer as usize).checked_sub(1) else {
            return;
        };
        // SAFETY: written by the thread that this process is a copy of; nobody else is here.
        let (before, here) = unsafe { (KEPT.record(outer), KEPT.record(index)) };
        let (Some(before), Some(here)) = (before, here) else {
            return;
        };
        let parent = here.at.pid;
        if before.at.pid != parent {
            // SAFETY: as above.
            unsafe { KEPT.write(outer, |fork| fork.child = parent) };
            KEPT.adopt(outer);
        }
    }
}
