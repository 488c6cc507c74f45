//! The fork family: the place of the fork is recorded, the fork itself is the C library's.
//!
//! `vfork`, `posix_spawn` and `clone` are left alone: the first two run nothing of CUDA before
//! they exec, and the kernel clears the gate's table in a raw `clone`d child as in any other.

use core::ffi::{CStr, c_char, c_int};

use libc::{pid_t, termios, winsize};

use super::real::Real;
use crate::gate;
use crate::lineage;
use crate::policy::{entry, exec};
use crate::semaphores;
use crate::sys::{raw, thread};
use crate::template;

static FORK: Real = Real::new();
static FORK_ALIAS: Real = Real::new();
static FORK_BARE: Real = Real::new();
static FORKPTY: Real = Real::new();
static DAEMON: Real = Real::new();

/// Finds the true functions ahead of time: a `fork` in a signal handler must not call the loader.
pub fn prepare() {
    FORK.get(c"fork");
    FORK_BARE.get(c"_Fork");
}

/// Makes the fork by `make`, which answers 0 in the child.
fn recorded(function: &CStr, make: impl FnOnce() -> c_int) -> c_int {
    entry::forget();
    semaphores::forget_created();
    let Some(forking) = lineage::begin_fork(function) else {
        // A child that inherits nothing of CUDA may keep a table that was not cleared: it says
        // the same. Not even its page is touched.
        return make();
    };
    let result = make();
    if result == 0 {
        gate::after_fork();
        forking.in_child();
    } else {
        forking.in_parent(result);
    }
    result
}

/// The answer where the C library has no such function.
pub fn missing() -> c_int {
    // SAFETY: `__errno_location` always gives this thread's valid `errno`.
    unsafe { *libc::__errno_location() = libc::ENOSYS };
    -1
}

type Fork = unsafe extern "C" fn() -> pid_t;

fn plain(function: &CStr, real: &Real) -> pid_t {
    let Some(address) = real.get(function) else {
        return missing();
    };
    // SAFETY: the C library's function of this name, which takes nothing and answers a pid.
    let real: Fork = unsafe { core::mem::transmute(address) };
    // SAFETY: as the caller called it.
    recorded(function, || unsafe { real() })
}

/// Whether nothing is to be done about a fork here and now: nobody has initialised CUDA, and nothing
/// was prepared for this thread's next fork.
fn is_nothing_to_us() -> bool {
    let here = thread::current();
    let pending = here.entry_name.get() | here.semaphore.get() | here.started.get() as usize;
    pending == 0 && lineage::is_clean() && !template::clone::is_wanted()
}

/// The fork, where [`is_nothing_to_us`] does not say how.
#[inline(never)]
fn considered() -> pid_t {
    if let Some(pid) = entry::fork().or_else(exec::started) {
        return pid;
    }
    if let Some(pid) = template::clone::wanted() {
        return pid;
    }
    plain(c"fork", &FORK)
}

/// `fork(2)`.
///
/// What is nothing to us becomes the C library's fork by a jump. No page of ours is then written to in
/// the parent, and none is so much as read in the child: each would be one more page fault, and a
/// tenth of what a small process's fork costs is in those.
#[unsafe(no_mangle)]
pub extern "C" fn fork() -> pid_t {
    if is_nothing_to_us()
        && let Some(address) = FORK.known()
    {
        // SAFETY: as in `plain`.
        let real: Fork = unsafe { core::mem::transmute(address) };
        // SAFETY: as the caller called it.
        return unsafe { real() };
    }
    considered()
}

/// The C library's other name for `fork`.
#[unsafe(no_mangle)]
pub extern "C" fn __fork() -> pid_t {
    plain(c"__fork", &FORK_ALIAS)
}

/// `_Fork(3)`: a fork without handlers (glibc 2.34).
#[unsafe(no_mangle)]
pub extern "C" fn _Fork() -> pid_t {
    plain(c"_Fork", &FORK_BARE)
}

/// `forkpty(3)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkpty(
    terminal: *mut c_int,
    name: *mut c_char,
    settings: *const termios,
    size: *const winsize,
) -> pid_t {
    type Forkpty =
        unsafe extern "C" fn(*mut c_int, *mut c_char, *const termios, *const winsize) -> pid_t;
    let Some(address) = FORKPTY.get(c"forkpty") else {
        return missing();
    };
    // SAFETY: the C library's `forkpty`.
    let real: Forkpty = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    recorded(c"forkpty", || unsafe {
        real(terminal, name, settings, size)
    })
}

/// `daemon(3)`: the caller's process ends, its child goes on.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn daemon(keep_directory: c_int, keep_streams: c_int) -> c_int {
    let Some(address) = DAEMON.get(c"daemon") else {
        return missing();
    };
    // SAFETY: the C library's `daemon`.
    let real: unsafe extern "C" fn(c_int, c_int) -> c_int =
        unsafe { core::mem::transmute(address) };
    let (parent, mut answer) = (raw::getpid(), -1);
    recorded(c"daemon", || {
        // SAFETY: the caller's own arguments. The parent does not return from a fork.
        answer = unsafe { real(keep_directory, keep_streams) };
        // In the child, too, it may say that it failed: after the fork, at `/dev/null`.
        if raw::getpid() == parent { answer } else { 0 }
    });
    answer
}
