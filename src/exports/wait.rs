//! Waiting for children: what waits for any child passes over the guard's own.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use libc::{id_t, idtype_t, pid_t, rusage, siginfo_t};

use super::process::missing;
use super::real::Real;
use crate::template::wait::{self, Call};

static WAITPID: Real = Real::new();
static WAIT3: Real = Real::new();
static WAIT4: Real = Real::new();
static WAITID: Real = Real::new();

/// Finds the true functions ahead of time: a handler of `SIGCHLD` must not call the loader.
pub fn prepare() {
    WAITPID.get(c"waitpid");
    WAIT3.get(c"wait3");
    WAIT4.get(c"wait4");
    WAITID.get(c"waitid");
}

/// `wait(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wait(status: *mut c_int) -> pid_t {
    // SAFETY: the caller's own argument; that is what `wait` does.
    unsafe { waitpid(-1, status, 0) }
}

/// The C library's other name for `wait`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wait(status: *mut c_int) -> pid_t {
    // SAFETY: as above.
    unsafe { waitpid(-1, status, 0) }
}

/// `waitpid(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t {
    type Waitpid = unsafe extern "C" fn(pid_t, *mut c_int, c_int) -> pid_t;
    let Some(address) = WAITPID.get(c"waitpid") else {
        return missing();
    };
    // SAFETY: the C library's `waitpid`.
    let real: Waitpid = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    reaping(pid, options, || unsafe { real(pid, status, options) })
}

/// The C library's other name for `waitpid`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t {
    // SAFETY: the caller's own arguments.
    unsafe { waitpid(pid, status, options) }
}

/// `wait3(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t {
    type Wait3 = unsafe extern "C" fn(*mut c_int, c_int, *mut rusage) -> pid_t;
    let Some(address) = WAIT3.get(c"wait3") else {
        return missing();
    };
    // SAFETY: the C library's `wait3`.
    let real: Wait3 = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    reaping(-1, options, || unsafe { real(status, options, usage) })
}

/// `wait4(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wait4(
    pid: pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    type Wait4 = unsafe extern "C" fn(pid_t, *mut c_int, c_int, *mut rusage) -> pid_t;
    let Some(address) = WAIT4.get(c"wait4") else {
        return missing();
    };
    // SAFETY: the C library's `wait4`.
    let real: Wait4 = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    reaping(pid, options, || unsafe {
        real(pid, status, options, usage)
    })
}

/// `waitid(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn waitid(
    kind: idtype_t,
    id: id_t,
    info: *mut siginfo_t,
    options: c_int,
) -> c_int {
    type Waitid = unsafe extern "C" fn(idtype_t, id_t, *mut siginfo_t, c_int) -> c_int;
    let Some(address) = WAITID.get(c"waitid") else {
        return missing();
    };
    // SAFETY: the C library's `waitid`.
    let real: Waitid = unsafe { core::mem::transmute(address) };
    let mut unasked = MaybeUninit::<siginfo_t>::zeroed();
    let place = if info.is_null() {
        unasked.as_mut_ptr()
    } else {
        info
    };
    let call = || {
        // SAFETY: the caller's own arguments, and a place for the answer.
        let answer = unsafe { real(kind, id, place, options) };
        if answer != 0 {
            return (answer, 0);
        }
        // SAFETY: on success the kernel has written it.
        (answer, unsafe { (*place).si_pid() })
    };
    let about = Call {
        options,
        keeps: options & libc::WNOWAIT != 0,
    };
    if kind == libc::P_ALL {
        return wait::any(&about, call);
    }
    let (answer, child) = call();
    if child > 0 && !about.keeps {
        wait::reaped(child);
    }
    answer
}

fn reaping(pid: pid_t, options: c_int, mut call: impl FnMut() -> pid_t) -> pid_t {
    if pid == -1 {
        let about = Call {
            options,
            keeps: false,
        };
        return wait::any(&about, || {
            let child = call();
            (child, child)
        });
    }
    let child = if pid > 0 {
        call()
    } else {
        wait::of_group(call)
    };
    if child > 0 {
        wait::reaped(child);
    }
    child
}
