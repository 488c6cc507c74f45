//! Python's side of `cpu`: in a forked child in which CUDA is absent, the frameworks that the parent
//! had imported are told.
//!
//! The parent registers a handler with the interpreter, once CUDA is initialised; the child runs it
//! at the end of its repair. Where C code forks and does not tell the interpreter (uWSGI), no handler
//! runs: such a child is told when it comes back to Python code. Only Python code, so nothing of it
//! stands on a forked child's way to a report.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use super::api::{self, Object};
use super::embedded::{self, Source, sources};
use super::native::{Calls, Method, calls, method};
use super::pending;
use crate::policy::cpu;
use crate::report::emit;
use crate::sys::raw;
use crate::{config, lineage};

const SOURCES: &[Source] = &sources!("absent":
    "frameworks",
    "torch_words",
    "torch_answers",
    "torch_kernels",
    "torch_classes",
    "torch",
    "kept",
    "statics",
    "jax_arrays",
    "jax",
    "cupy",
    "numba",
    "onnxruntime",
    "paddle",
    "tensorflow_variables",
    "tensorflow",
    "entries"
);

static METHODS: [Method; 3] = [
    method(c"is_absent", is_absent),
    method(c"origin", origin),
    method(c"notice", notice),
];

/// The interpreter has the handler, or is about to have it.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// The process that has asked its main thread to register it.
static PENDING_IN: AtomicI32 = AtomicI32::new(0);

/// What tells the frameworks, once the interpreter has the handler: a function of the package's, which
/// stays as long as the interpreter does.
static TELL: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
/// The process that has asked its main thread to look whether it is such a child.
static LOOKING_IN: AtomicI32 = AtomicI32::new(0);

/// CUDA was initialised in this process: has the main thread register the handler when it comes back
/// to Python code. Here the caller may hold any lock of a library's. A program that is forked by C
/// code (uWSGI) has no later moment.
pub fn initialised() {
    if !config::get().may_be_absent() || !api::is_initialized() {
        return;
    }
    if calls().is_some() {
        pending::ask_once(&PENDING_IN, begin);
    }
}

/// On the main thread, with the GIL; perhaps in a forked child.
unsafe extern "C" fn begin(_nothing: *mut c_void) -> c_int {
    if PENDING_IN.load(Ordering::Relaxed) == raw::getpid() && api::holds_gil() {
        watch();
    }
    0
}

/// Registers the handler. With the GIL, in a process that is about to fork or may be; what is
/// registered before the interpreter asks for its handlers is in force for that very fork.
pub fn watch() {
    if !config::get().may_be_absent() || !api::is_main_interpreter() {
        return;
    }
    let Some(calls) = calls() else { return };
    if WATCHED.swap(true, Ordering::AcqRel) {
        return;
    }
    let _errno = raw::ErrnoGuard::new();
    // SAFETY: the GIL is held, says the caller; each object is checked before it is used.
    unsafe {
        let space = embedded::run(calls, "_forkguard_absent", SOURCES, fill);
        let done = if space.is_null() {
            space
        } else {
            (calls.call)(
                (calls.dict_get)(space, c"watch".as_ptr()),
                core::ptr::null_mut::<()>(),
            )
        };
        if done.is_null() {
            // Frameworks go on to answer what the parent saw; the driver says that there is none.
            (calls.err_clear)();
        } else {
            (calls.decref)(done);
            TELL.store((calls.dict_get)(space, c"tell".as_ptr()), Ordering::Release);
        }
    }
}

/// This process forks. If it is C code that does so, the child hears of it by what is asked of the
/// interpreter here: a pending call is inherited, and whichever of the two comes back to Python code
/// looks what it is.
pub fn before_fork() {
    // uWSGI does not hold the GIL when it forks; what is asked for needs none.
    if !TELL.load(Ordering::Acquire).is_null() {
        pending::ask_once(&LOOKING_IN, look);
    }
}

/// On the main thread, with the GIL. A child of Python's own fork has been told: the function knows.
unsafe extern "C" fn look(_nothing: *mut c_void) -> c_int {
    LOOKING_IN.store(0, Ordering::Relaxed);
    let tell = TELL.load(Ordering::Acquire);
    if !tell.is_null()
        && cpu::is_absent()
        && api::holds_gil()
        && let Some(calls) = calls()
    {
        let _errno = raw::ErrnoGuard::new();
        // SAFETY: the GIL is held; the function lives as long as the interpreter, whose end forgets
        // it; what it raises it was to catch itself, and is not the program's.
        unsafe {
            let done = (calls.call)(tell, core::ptr::null_mut::<()>());
            if done.is_null() {
                (calls.err_clear)();
            } else {
                (calls.decref)(done);
            }
        }
    }
    0
}

/// The interpreter ends; a program that takes Python in may start another one.
pub fn forget() {
    TELL.store(core::ptr::null_mut(), Ordering::Release);
    WATCHED.store(false, Ordering::Release);
}

unsafe fn fill(calls: &Calls, dict: Object) -> bool {
    // SAFETY: the GIL is held, says the caller.
    unsafe {
        super::native::put(
            calls,
            dict,
            METHODS.iter().chain([&super::torch_absent::METHOD]),
        )
    }
}

/// `is_absent()`: whether CUDA is absent in this process.
unsafe extern "C" fn is_absent(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    // SAFETY: called by the interpreter, with the GIL.
    unsafe { (calls.build)(c"i".as_ptr(), c_int::from(cpu::is_absent())) }
}

/// `origin()`: the process that initialised CUDA, and this one's parent at the fork.
unsafe extern "C" fn origin(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let initialiser = lineage::initialisation().pid;
    // SAFETY: takes nothing and always succeeds.
    let parent = unsafe { libc::getppid() };
    // SAFETY: called by the interpreter, with the GIL.
    unsafe { (calls.build)(c"ii".as_ptr(), initialiser, parent) }
}

/// `notice(text)`: one line on stderr.
unsafe extern "C" fn notice(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut text = core::ptr::null::<c_char>();
    // SAFETY: called by the interpreter, with the GIL and a tuple; `s` gives a C string that lives as
    // long as its object, which the tuple keeps alive.
    unsafe {
        if (calls.parse)(arguments, c"s".as_ptr(), &raw mut text) == 0 {
            return core::ptr::null_mut();
        }
        let text = CStr::from_ptr(text).to_str().unwrap_or("");
        emit::notice(format_args!("pid {}: {text}", raw::getpid()));
        (calls.build)(c"".as_ptr())
    }
}
