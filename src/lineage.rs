//! What this process knows of CUDA: whether it, or the process it was forked from, initialised
//! the driver, and where; and by which forks it came to be.
//!
//! Everything lives in preallocated memory that a forked child inherits as it was, and is read
//! there without a lock. Writers are few: the thread that first calls `cuInit`, and each forking
//! thread, which claims a record of its own.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use crate::gate::{self, Standing};
use crate::policy::{cpu, exec, teardown};
use crate::stack::{self, Stack};
use crate::sys::{modules, raw, thread};
use crate::{config, family, python, record, siblings, template, trace};

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

const CLEAN: u32 = 0;
const INITIALISING: u32 = 1;
const INITIALISED: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(CLEAN);
/// The process whose `cuInit` succeeded; only compared with this process's own pid by the process
/// that has not forked since, so that repeated pids do no harm.
static OWNER: AtomicI32 = AtomicI32::new(0);
static RECORDED: AtomicBool = AtomicBool::new(false);
static CONTEXT: AtomicBool = AtomicBool::new(false);
static OBJECT: AtomicBool = AtomicBool::new(false);
/// The address of code that was given an export table, 0 for none: in the process that initialised
/// CUDA …
static RUNTIME_API: AtomicUsize = AtomicUsize::new(0);
/// … and in a forked child of it, before it has a driver of its own.
static RUNTIME_API_HERE: AtomicUsize = AtomicUsize::new(0);
/// Set in a process with a driver of its own that has inherited handles of another one's.
static FOREIGN_HANDLES: AtomicBool = AtomicBool::new(false);

struct Place<T>(UnsafeCell<T>);

// SAFETY: `INITIALISATION` is written by the thread that moved `STATE` from clean, before it sets
// `RECORDED`; a record of `KEPT` by the thread that claimed it in `KEPT`; readers are the
// same thread, or a forked child, which is a copy.
unsafe impl<T> Sync for Place<T> {}

static INITIALISATION: Place<Moment> = Place(UnsafeCell::new(Moment::EMPTY));

/// What every fork writes, together, and with it the beginning of the first record, which is the one
/// that mostly is used: after a fork the first write to a page costs its copy, in the parent and in
/// the child.
#[repr(C, align(4096))]
struct Forks {
    /// Which records are in use.
    claimed: [AtomicBool; FORKS],
    /// In the family's record, the slot of the child that the fork of each record makes, and 1; 0 for
    /// none.
    slots: [AtomicU32; FORKS],
    /// The records of this process's line, oldest first.
    line: [AtomicU8; CHAIN],
    line_len: AtomicUsize,
    records: [Place<Fork>; FORKS],
}

static KEPT: Forks = Forks {
    claimed: [const { AtomicBool::new(false) }; FORKS],
    slots: [const { AtomicU32::new(0) }; FORKS],
    line: [const { AtomicU8::new(0) }; CHAIN],
    line_len: AtomicUsize::new(0),
    records: [const {
        Place(UnsafeCell::new(Fork {
            child: 0,
            at: Moment::EMPTY,
        }))
    }; FORKS],
};

/// Whether nobody in this process's line has initialised CUDA, or is about to.
pub fn is_clean() -> bool {
    STATE.load(Ordering::Acquire) == CLEAN
}

/// Whether `cuInit` had begun and not returned (as a forked child sees it: never will).
pub fn is_initialising() -> bool {
    STATE.load(Ordering::Acquire) == INITIALISING
}

/// Whether this very process has initialised CUDA, and recorded it.
pub fn initialised_here() -> bool {
    STATE.load(Ordering::Acquire) == INITIALISED && OWNER.load(Ordering::Relaxed) == raw::getpid()
}

/// Notes that a context was created: the process uses CUDA, it does not only ask.
pub fn note_context() {
    CONTEXT.store(true, Ordering::Relaxed);
    record::note_context();
}

/// Whether a context was created.
pub fn has_context() -> bool {
    CONTEXT.load(Ordering::Relaxed)
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
    if RECORDED.load(Ordering::Acquire) {
        // SAFETY: see `Place`: once recorded it is not written again in this process.
        unsafe { &*INITIALISATION.0.get() }
    } else {
        &nowhere().at
    }
}

/// A `cuInit` under way.
pub struct Attempt {
    first: bool,
}

/// Records where `cuInit` is called, before it is: a fork that another thread makes meanwhile
/// inherits a half-initialised driver.
pub fn begin_initialisation(function: &CStr) -> Attempt {
    let first = STATE
        .compare_exchange(CLEAN, INITIALISING, Ordering::AcqRel, Ordering::Acquire)
        .is_ok();
    if first {
        modules::refresh();
        python::prepare();
        // SAFETY: this thread alone moved the state from clean; see `Place`.
        let moment = unsafe { &mut *INITIALISATION.0.get() };
        stack::capture(&mut moment.stack);
        moment.stamp(function, stack::native::caller(&moment.stack));
        RECORDED.store(true, Ordering::Release);
    }
    Attempt { first }
}

impl Attempt {
    /// The call has returned. A failing `cuInit` initialises nothing.
    pub fn finish(self, result: u32) {
        if result != SUCCESS {
            if self.first {
                trace::attempted(initialisation(), result);
                RECORDED.store(false, Ordering::Release);
                let _ = STATE.compare_exchange(
                    INITIALISING,
                    CLEAN,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
            }
            return;
        }
        let before = STATE.swap(INITIALISED, Ordering::AcqRel);
        if before == INITIALISED {
            return;
        }
        OWNER.store(raw::getpid(), Ordering::Relaxed);
        siblings::prepare();
        family::prepare();
        // The driver has loaded libraries of its own.
        modules::refresh();
        teardown::prepare();
        record::begin(initialisation());
        crate::report::emit::initialised(initialisation());
        python::audit::arm();
        python::template::initialised();
        python::absent::initialised();
    }
}

/// The forks from the process that initialised CUDA to this one, oldest first.
pub fn forks(into: &mut [Option<&'static Fork>; CHAIN + 1]) -> usize {
    let mut len = 0;
    let recorded = KEPT.line_len.load(Ordering::Relaxed).min(CHAIN);
    let line = KEPT.line[..recorded]
        .iter()
        .map(|entry| u32::from(entry.load(Ordering::Relaxed)));
    // A handler that runs inside `fork`, in the child, comes before the record is in the line.
    let pending = thread::current().forking.get();
    let pending = (pending != 0).then(|| pending - 1);
    for index in line.chain(pending) {
        // SAFETY: see `Place`: these records were written before the fork that made this process.
        into[len] = KEPT
            .records
            .get(index as usize)
            .map(|place| unsafe { &*place.0.get() });
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
    RECORDED.store(false, Ordering::Release);
    // SAFETY: see `Place`: of this process's threads, which wait for the one that revives, none
    // reads it meanwhile.
    let moment = unsafe { &mut *INITIALISATION.0.get() };
    moment.stack.native_len = 0;
    stack::python::capture(&mut moment.stack.python);
    if stack::native::is_safe() {
        stack::native::capture(&mut moment.stack);
    }
    moment.stamp(function, caller);
    RECORDED.store(true, Ordering::Release);
    let had_context = CONTEXT.swap(false, Ordering::Relaxed);
    if OBJECT.swap(false, Ordering::Relaxed) || had_context {
        FOREIGN_HANDLES.store(true, Ordering::Relaxed);
    }
    // One of the parent's that is here at this point has outlived the driver's new start.
    let here = RUNTIME_API_HERE.swap(0, Ordering::Relaxed);
    let _ = RUNTIME_API.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
    OWNER.store(raw::getpid(), Ordering::Relaxed);
    STATE.store(INITIALISED, Ordering::Release);
    // Records that this process's threads have claimed since for forks of their own stay theirs.
    let line = KEPT.line_len.swap(0, Ordering::Relaxed).min(CHAIN);
    for entry in &KEPT.line[..line] {
        KEPT.claimed[usize::from(entry.load(Ordering::Relaxed))].store(false, Ordering::Release);
    }
    let pending = thread::current().forking.replace(0);
    if let Some(claimed) = KEPT.claimed.get((pending as usize).wrapping_sub(1)) {
        claimed.store(false, Ordering::Release);
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
        let place = KEPT.records.get(index);
        // SAFETY: see `Place`: this thread wrote it before the fork. A handler that runs inside of
        // `fork` may be in the parent as well.
        place.is_some_and(|place| unsafe { (*place.0.get()).at.pid } != raw::getpid())
    });
    let index = pending.or_else(|| {
        let len = KEPT.line_len.load(Ordering::Relaxed).min(CHAIN);
        KEPT.line[..len]
            .last()
            .map(|entry| usize::from(entry.load(Ordering::Relaxed)))
    })?;
    let slot = KEPT.slots.get(index)?.load(Ordering::Relaxed) as usize;
    slot.checked_sub(1)
}

/// A fork that is about to be made.
pub struct Forking {
    record: Option<usize>,
    slot: Option<record::Forking>,
}

/// Records where a fork is made, if it matters: before initialisation it does not.
pub fn begin_fork(function: &CStr) -> Option<Forking> {
    if is_clean() || thread::current().in_driver.get() != 0 || config::get().is_off() {
        return None;
    }
    modules::refresh();
    teardown::prepare();
    python::before_fork();
    let record = KEPT
        .claimed
        .iter()
        .position(|claimed| !claimed.swap(true, Ordering::AcqRel));
    if let Some(index) = record {
        // SAFETY: claimed by this thread; see `Place`.
        let fork = unsafe { &mut *KEPT.records[index].0.get() };
        let elsewhere = stack::capture(&mut fork.at.stack);
        fork.at
            .stamp(function, stack::native::caller(&fork.at.stack));
        fork.child = 0;
        let slot = record::before_fork(&fork.at, index, elsewhere);
        let number = slot.map_or(0, |slot| slot.index() as u32 + 1);
        KEPT.slots[index].store(number, Ordering::Relaxed);
        thread::current().forking.set(index as u32 + 1);
        return Some(Forking { record, slot });
    }
    Some(Forking { record, slot: None })
}

impl Forking {
    /// In the parent, the child made or not: the fork answered `child`.
    pub fn in_parent(self, child: i32) {
        if let Some(slot) = self.slot {
            slot.in_parent(child);
        }
        thread::current().forking.set(0);
        exec::forget_refusal();
        if let Some(index) = self.record {
            KEPT.claimed[index].store(false, Ordering::Release);
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
        let len = KEPT.line_len.load(Ordering::Relaxed).min(CHAIN);
        if let Some(index) = self.record.filter(|_| !revived) {
            let pid = raw::getpid();
            // SAFETY: claimed by the thread that this process is a copy of; nobody else is here.
            unsafe { (*KEPT.records[index].0.get()).child = pid };
            if let Some(slot) = self.slot {
                slot.in_child(pid);
            }
            let place = if len == CHAIN {
                // The line's beginning and its end tell most: the middle makes room.
                for middle in CHAIN / 2..CHAIN - 1 {
                    let next = KEPT.line[middle + 1].load(Ordering::Relaxed);
                    KEPT.line[middle].store(next, Ordering::Relaxed);
                }
                CHAIN - 1
            } else {
                len
            };
            KEPT.line[place].store(index as u8, Ordering::Relaxed);
            KEPT.line_len.store(place + 1, Ordering::Relaxed);
        }
        // What other threads of the parent had claimed, nobody here will give back.
        let line = &KEPT.line[..KEPT.line_len.load(Ordering::Relaxed)];
        for (index, claimed) in KEPT.claimed.iter().enumerate() {
            let ours = line
                .iter()
                .any(|entry| usize::from(entry.load(Ordering::Relaxed)) == index);
            if !ours && claimed.load(Ordering::Relaxed) {
                record::forget_place(index);
                claimed.store(false, Ordering::Relaxed);
            }
        }
        if !revived {
            cpu::after_fork();
        }
    }
}
