//! Being there when Python forks: the `os.fork` audit event.
//!
//! The event comes on the forking thread, with the GIL, before the interpreter prepares the fork
//! and holding no lock of the runtime's: the one place where Python code can decide what becomes
//! of a fork. The hook is added at the first successful `cuInit`, never in the library's
//! constructor: an interpreter with a debugging allocator does not survive a hook that was added
//! before it was initialised.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::absent;
use super::adapter::{self, Answer};
use super::api;
use super::native::{self, Calls};
use super::pending;
use crate::policy::exec;
use crate::stack::native::in_handler;
use crate::sys::{raw, thread};
use crate::{config, lineage};

/// The hook is there, or is about to be by a pending call of this process.
static ARMED: AtomicBool = AtomicBool::new(false);
static ADDED: AtomicBool = AtomicBool::new(false);
static PENDING_IN: AtomicI32 = AtomicI32::new(0);
/// The hook was called: it is there indeed. Another hook of the program's may have forbidden it,
/// and the interpreter does not always say so.
static HEARD: AtomicBool = AtomicBool::new(false);

/// Whether a policy that may be asked acts at Python's forks.
fn is_wanted() -> bool {
    config::get().rewrites() || config::get().may_be_absent()
}

/// Adds the hook, where it is wanted and there is a Python. Again and again is harmless.
pub fn arm() {
    if !is_wanted() || ADDED.load(Ordering::Acquire) {
        return;
    }
    let Some(calls) = native::calls() else { return };
    if !api::is_initialized() {
        return;
    }
    // To 3.11 the list of hooks is guarded by the GIL, later by a lock of its own.
    if api::since_312() || api::holds_gil() {
        if !ARMED.swap(true, Ordering::AcqRel) || PENDING_IN.load(Ordering::Relaxed) != 0 {
            add(calls);
        }
    } else if !ARMED.swap(true, Ordering::AcqRel) {
        PENDING_IN.store(raw::getpid(), Ordering::Relaxed);
        if !pending::ask(add_later) {
            PENDING_IN.store(0, Ordering::Relaxed);
            ARMED.store(false, Ordering::Release);
        }
    }
}

fn add(calls: &Calls) {
    if ADDED.swap(true, Ordering::AcqRel) {
        return;
    }
    let _errno = raw::ErrnoGuard::new();
    // SAFETY: the interpreter is initialised, and its list is guarded as `arm` says.
    let refused = unsafe { (calls.add_audit_hook)(hook, core::ptr::null_mut()) } != 0;
    if refused {
        // Another hook of the program's forbids further ones; its exception is not the program's.
        ADDED.store(false, Ordering::Release);
        if api::holds_gil() {
            // SAFETY: the GIL is held.
            unsafe { (calls.err_clear)() };
        }
    }
}

/// On the main thread, with the GIL; perhaps in a forked child.
unsafe extern "C" fn add_later(_nothing: *mut c_void) -> c_int {
    if PENDING_IN.swap(0, Ordering::Relaxed) == raw::getpid()
        && let Some(calls) = native::calls()
    {
        add(calls);
    } else {
        ARMED.store(false, Ordering::Release);
    }
    0
}

unsafe extern "C" fn hook(event: *const c_char, _args: *mut c_void, _data: *mut c_void) -> c_int {
    if !HEARD.load(Ordering::Relaxed) {
        HEARD.store(true, Ordering::Relaxed);
    }
    // SAFETY: the interpreter gives the name of the event, a C string.
    let event = unsafe { CStr::from_ptr(event) };
    match event.to_bytes().first() {
        Some(b'o') if event == c"os.fork" => forking(),
        Some(b'c') if event == c"cpython._PySys_ClearAuditHooks" => {
            disarm();
            0
        }
        _ => 0,
    }
}

/// The interpreter ends; a program that takes Python in may start another one.
fn disarm() {
    adapter::forget();
    absent::forget();
    for flag in [&ARMED, &ADDED, &HEARD] {
        flag.store(false, Ordering::Release);
    }
}

fn forking() -> c_int {
    if thread::current().rewriting.get() != 0 {
        // A signal handler of the program's, which runs in the middle of the adapter, forks: what
        // the adapter has started is for the other fork.
        return 0;
    }
    exec::abandon();
    if !matters() {
        return 0;
    }
    absent::watch();
    if !exec::is_asked() {
        if config::get().rewrites() {
            exec::refuse("policy revive comes before it and was expected to serve this process");
        }
        return 0;
    }
    match adapter::run() {
        Answer::Started(pid) => {
            exec::start(pid);
            0
        }
        Answer::Fork => 0,
        Answer::Raised => -1,
    }
}

fn matters() -> bool {
    let here = thread::current();
    !lineage::is_clean() && here.rewriting.get() == 0 && here.in_driver.get() == 0
}

/// An extension module is about to be loaded, with the GIL: where CUDA was initialised before there
/// was a Python, this is the first that is seen of it.
pub fn loading() {
    if is_wanted() && !ADDED.load(Ordering::Acquire) && !lineage::is_clean() {
        super::prepare();
        arm();
    }
}

/// Inside `fork`, where the hook is not there: up to 3.12 only the import lock is held here, and the
/// adapter can run.
pub fn unarmed_fork() {
    if HEARD.load(Ordering::Relaxed) || !is_wanted() || !matters() {
        return;
    }
    super::prepare();
    let Some(calls) = native::calls() else { return };
    // In a signal's handler what it has interrupted may be in the middle of the interpreter.
    if !api::holds_gil() || in_handler() {
        return;
    }
    if !api::since_313() {
        absent::watch();
    }
    if !exec::is_asked() {
        return;
    }
    if api::since_313() {
        exec::refuse(if ADDED.load(Ordering::Acquire) {
            "an audit hook of the program forbids further ones, without which this Python does not \
             say in time that it forks"
        } else {
            "it was forked before the interpreter could be told to watch for forks (the first \
             one after CUDA was initialised from outside Python)"
        });
        return;
    }
    match adapter::run_in_fork() {
        Answer::Started(pid) => exec::start(pid),
        Answer::Fork => {}
        // `os.fork` cannot raise from here: the interrupt is kept for the next instruction.
        // SAFETY: the GIL is held.
        Answer::Raised => unsafe {
            (calls.err_clear)();
            (calls.err_set_interrupt)();
        },
    }
}
