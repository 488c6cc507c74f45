//! Being there when Python forks: the `os.fork` audit event.
//!
//! The event comes on the forking thread, with the GIL, before the interpreter prepares the fork
//! and holding no lock of the runtime's: the one place where Python code can decide what becomes
//! of a fork. The hook is added at the first successful `cuInit`, never in the library's
//! constructor: an interpreter with a debugging allocator does not survive a hook that was added
//! before it was initialised.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::adapter::{self, Answer};
use super::api;
use super::native::{self, Calls};
use crate::policy::exec;
use crate::sys::{raw, thread};
use crate::{config, lineage};

/// The hook is there, or is about to be by a pending call of this process.
static ARMED: AtomicBool = AtomicBool::new(false);
static ADDED: AtomicBool = AtomicBool::new(false);
static PENDING_IN: AtomicI32 = AtomicI32::new(0);

/// Adds the hook, where `exec` is asked for and there is a Python. Again and again is harmless.
pub fn arm() {
    if !config::get().rewrites() || ADDED.load(Ordering::Acquire) {
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
        // SAFETY: takes a function and its argument, from any thread, without the GIL.
        unsafe { (calls.add_pending_call)(add_later, core::ptr::null_mut()) };
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

/// On the main thread, with the GIL. A pending call is inherited: it may run in a forked child.
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
    // SAFETY: the interpreter gives the name of the event, a C string.
    if unsafe { *event } as u8 != b'o' || unsafe { CStr::from_ptr(event) } != c"os.fork" {
        return 0;
    }
    exec::abandon();
    if !matters() {
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

/// Inside `fork`, where the hook is not there yet: up to 3.12 only the import lock is held here,
/// and the adapter can run.
pub fn unarmed_fork() {
    if ADDED.load(Ordering::Acquire) || !config::get().rewrites() || !matters() {
        return;
    }
    super::prepare();
    let Some(calls) = native::calls() else { return };
    if !api::holds_gil() {
        return;
    }
    if api::since_313() {
        exec::refuse(
            "it was forked before the interpreter could be told to watch for forks (the first \
             one after CUDA was initialised from outside Python)",
        );
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
