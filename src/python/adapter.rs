//! Runs the embedded Python source that turns a fork into a fresh process.
//!
//! Python code, so everything here needs the GIL, and none of it may run in a forked child's way
//! to its report. The source is compiled at the first fork after CUDA was initialised, in a
//! namespace of its own; nothing is read from the file system or the environment.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::api::Object;
use super::embedded::{self, Source, sources};
use super::native::{self, Calls};
use super::spawn;
use super::turn::Turn;
use crate::policy::exec;
use crate::report::buffer::Buffer;
use crate::stack::python::version;
use crate::sys::{raw, thread};

/// What becomes of the fork.
pub enum Answer {
    /// A fresh process runs; `fork` is to answer its pid.
    Started(i32),
    /// It stays a fork.
    Fork,
    /// A Python exception is set that the program must see (an interrupt).
    Raised,
}

/// In the order in which they build on one another.
const SOURCES: &[Source] = &sources!("adapter":
    "load",
    "errors",
    "rebuild",
    "made_classes",
    "hashed",
    "unwrapped",
    "own",
    "origin",
    "mapped",
    "tensors",
    "values",
    "classes",
    "patches",
    "pickling",
    "reach",
    "functions",
    "caches",
    "torch_state",
    "state",
    "status",
    "answered",
    "sealed",
    "buffers",
    "bodies",
    "payload",
    "start",
    "warm",
    "template",
    "launch",
    "sections",
    "overlays",
    "child",
    "recognise",
    "entries"
);

/// The adapter's entry, a Python function; 0 until it is loaded.
static ENTRY: AtomicUsize = AtomicUsize::new(0);

/// The adapter's other entry: CUDA was initialised.
static INITIALISED: AtomicUsize = AtomicUsize::new(0);
/// The process one of whose threads loads the adapter at this moment; 0 for none. A forked child
/// inherits the number and not the thread.
static LOADING: AtomicU32 = AtomicU32::new(0);

/// On the main thread, some time after CUDA was initialised. False where a Python exception is set
/// that the program must see.
pub fn initialised() -> bool {
    let Some(calls) = native::calls() else {
        return true;
    };
    let _errno = raw::ErrnoGuard::new();
    let here = thread::current();
    if here.rewriting.get() != 0
        || !super::api::holds_gil()
        || super::api::newer_than_known().is_some()
    {
        return true;
    }
    // Another thread starts a worker: it sees to the template as well.
    let Some(_turn) = Turn::at_once() else {
        return true;
    };
    here.rewriting.set(1);
    let mut quiet = true;
    // SAFETY: the GIL is held; each object is checked before it is used.
    unsafe {
        loaded(calls, false);
        let entry = INITIALISED.load(Ordering::Acquire) as Object;
        if !entry.is_null() {
            let done = (calls.call)(entry, core::ptr::null_mut::<()>());
            if !done.is_null() {
                (calls.decref)(done);
            }
        }
        if super::api::error_is_set() {
            quiet = (calls.err_matches)(*calls.exception) != 0;
            if quiet {
                // The template is a saving: without it every worker is executed.
                (calls.err_clear)();
            }
        }
    }
    here.rewriting.set(0);
    quiet
}

/// The interpreter whose objects these are ends.
pub fn forget() {
    ENTRY.store(0, Ordering::Release);
    INITIALISED.store(0, Ordering::Release);
}

/// At the audit event: decides what becomes of the fork that the calling frame is about to make.
pub fn run() -> Answer {
    decide(false)
}

/// Inside `fork` itself, with the import lock held.
pub fn run_in_fork() -> Answer {
    decide(true)
}

/// A version that came after this library may do anything else at its forks.
fn refuse_version(minor: u32) {
    let mut room = [0; 128];
    let mut reason = Buffer::new(&mut room);
    reason.put(format_args!(
        "it is of CPython 3.{minor}, which is newer than this forkguard knows (3.8 to 3.{})",
        version::NEWEST
    ));
    exec::refuse(reason.since(0));
}

fn decide(in_fork: bool) -> Answer {
    let Some(calls) = native::calls() else {
        return Answer::Fork;
    };
    if let Some(minor) = super::api::newer_than_known() {
        refuse_version(minor);
        return Answer::Fork;
    }
    if !super::api::is_main_interpreter() {
        exec::refuse("it was forked by a subinterpreter, and a fresh process has none");
        return Answer::Fork;
    }
    let _errno = raw::ErrnoGuard::new();
    let here = thread::current();
    here.rewriting.set(1);
    // SAFETY: both ways here hold the GIL.
    let mut answer = unsafe { ask(calls, in_fork) };
    spawn::close_directory();
    if !in_fork && matches!(answer, Answer::Started(_)) {
        // An interrupt that came meanwhile is raised here, where it ends the start: a moment later
        // it would be raised in the program's at-fork handlers, which lose it.
        // SAFETY: the GIL is held, and no exception is set where a process was started.
        if unsafe { (calls.err_check_signals)() } != 0 {
            answer = Answer::Raised;
        }
    }
    here.rewriting.set(0);
    if !matches!(answer, Answer::Started(_)) {
        // Something may have been raised after a process had been started: nobody else would know
        // of it.
        exec::abandon();
    }
    answer
}

/// # Safety
/// The GIL must be held.
unsafe fn ask(calls: &Calls, in_fork: bool) -> Answer {
    // SAFETY: the GIL is held, says the caller. Each object is checked before it is used.
    unsafe {
        let Some(entry) = loaded(calls, in_fork) else {
            exec::refuse("it was forked while another thread was about to fork for the first time");
            return Answer::Fork;
        };
        // Inside `fork` this thread holds the import lock, for which the other one may wait.
        let _turn = if in_fork {
            Turn::at_once()
        } else {
            Turn::wait(calls)
        };
        let frame = (calls.frame)();
        if entry.is_null() || frame.is_null() {
            return raised(calls);
        }
        let how = (calls.build)(c"i".as_ptr(), c_int::from(in_fork));
        if how.is_null() {
            return raised(calls);
        }
        let pid = (calls.call)(entry, frame, how, core::ptr::null_mut::<()>());
        (calls.decref)(how);
        if pid.is_null() {
            return raised(calls);
        }
        let number = (calls.long)(pid);
        (calls.decref)(pid);
        match i32::try_from(number) {
            Ok(pid) if pid > 0 => Answer::Started(pid),
            _ => Answer::Fork,
        }
    }
}

/// An ordinary exception here is a fault of the adapter's and costs the rewrite; anything else
/// (an interrupt, an exit) belongs to the program.
unsafe fn raised(calls: &Calls) -> Answer {
    // SAFETY: the GIL is held by the callers; the variable is the interpreter's.
    unsafe {
        let ordinary = (calls.err_matches)(*calls.exception) != 0;
        if !ordinary && super::api::error_is_set() {
            return Answer::Raised;
        }
        (calls.err_clear)();
    }
    exec::refuse("the code that would do it failed to run in this interpreter");
    Answer::Fork
}

/// The adapter's entry, null with an exception where it cannot be had. `None` inside `fork`, while
/// another thread loads it: that needs the import lock, which this one holds.
///
/// # Safety
/// The GIL must be held.
unsafe fn loaded(calls: &Calls, in_fork: bool) -> Option<Object> {
    let here = raw::getpid() as u32;
    loop {
        let known = ENTRY.load(Ordering::Acquire);
        if known != 0 {
            return Some(known as Object);
        }
        match LOADING.compare_exchange(0, here, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: the GIL is held, says the caller.
                let entry = unsafe { load(calls) };
                LOADING.store(0, Ordering::Release);
                raw::wake_all(&LOADING);
                return Some(entry);
            }
            Err(process) if process == here => {
                if in_fork {
                    return None;
                }
                // SAFETY: the GIL is held and taken back; nothing of Python's is touched between.
                unsafe {
                    let state = (calls.save_thread)();
                    raw::wait_while(&LOADING, here);
                    (calls.restore_thread)(state);
                }
            }
            Err(parent) => {
                let _ = LOADING.compare_exchange(parent, 0, Ordering::AcqRel, Ordering::Acquire);
            }
        }
    }
}

/// Compiles the adapter. Null with an exception where that fails.
unsafe fn load(calls: &Calls) -> Object {
    // SAFETY: the GIL is held by the callers. The entries are borrowed from the namespace, which is
    // never given back.
    unsafe {
        let space = embedded::run(calls, "_forkguard", SOURCES, native::fill);
        if space.is_null() {
            return space;
        }
        let entry = (calls.dict_get)(space, c"on_fork".as_ptr());
        ENTRY.store(entry as usize, Ordering::Release);
        let other = (calls.dict_get)(space, c"on_initialised".as_ptr());
        INITIALISED.store(other as usize, Ordering::Release);
        entry
    }
}
