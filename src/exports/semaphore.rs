//! `sem_open`, `sem_unlink`, `sem_close`: the C library's, but for what `exec` needs to know.

use core::ffi::{CStr, c_char, c_int, c_uint};

use libc::sem_t;

use super::process::missing;
use super::real::Real;
use crate::config;
use crate::semaphores::{self, Closed};

static OPEN: Real = Real::new();
static UNLINK: Real = Real::new();
static CLOSE: Real = Real::new();

const EXCLUSIVE: c_int = libc::O_CREAT | libc::O_EXCL;

/// `sem_open(3)`. The last two arguments are there with `O_CREAT` only; variadic arguments of
/// these types are passed as any others, and what is in their place otherwise is passed on unread.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn sem_open(
    name: *const c_char,
    flags: c_int,
    mode: c_uint,
    value: c_uint,
) -> *mut sem_t {
    #[cfg(target_arch = "x86_64")]
    core::arch::naked_asm!("mov r8, rsp", "jmp {}", sym open);
    #[cfg(target_arch = "aarch64")]
    core::arch::naked_asm!(
        "hint #34", // bti c
        "mov x4, sp",
        "b {}",
        sym open
    );
}

/// `frame` is the caller's stack pointer: what follows in the same call of the same function has
/// the same.
unsafe extern "C" fn open(
    name: *const c_char,
    flags: c_int,
    mode: c_uint,
    value: c_uint,
    frame: usize,
) -> *mut sem_t {
    type SemOpen = unsafe extern "C" fn(*const c_char, c_int, ...) -> *mut sem_t;
    let active = config::get().rewrites() && !name.is_null();
    if active {
        semaphores::forget_created();
        // SAFETY: the caller's name, which is a C string.
        match semaphores::import(unsafe { CStr::from_ptr(name) }) {
            Some(Ok(address)) => return address as *mut sem_t,
            Some(Err(errno)) => {
                // SAFETY: `__errno_location` always gives this thread's valid `errno`.
                unsafe { *libc::__errno_location() = errno };
                return libc::SEM_FAILED;
            }
            None => {}
        }
    }
    let Some(address) = OPEN.get(c"sem_open") else {
        missing();
        return libc::SEM_FAILED;
    };
    // SAFETY: the C library's `sem_open`.
    let real: SemOpen = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    let semaphore = unsafe { real(name, flags, mode, value) };
    if active && semaphore != libc::SEM_FAILED && flags & EXCLUSIVE == EXCLUSIVE {
        // SAFETY: as above.
        semaphores::created(unsafe { CStr::from_ptr(name) }, semaphore as usize, frame);
    }
    semaphore
}

/// `sem_unlink(3)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn sem_unlink(name: *const c_char) -> c_int {
    #[cfg(target_arch = "x86_64")]
    core::arch::naked_asm!("mov rsi, rsp", "jmp {}", sym unlink);
    #[cfg(target_arch = "aarch64")]
    core::arch::naked_asm!(
        "hint #34", // bti c
        "mov x1, sp",
        "b {}",
        sym unlink
    );
}

unsafe extern "C" fn unlink(name: *const c_char, frame: usize) -> c_int {
    let Some(address) = UNLINK.get(c"sem_unlink") else {
        return missing();
    };
    if config::get().rewrites() && !name.is_null() {
        // SAFETY: the caller's name, which is a C string.
        semaphores::unlinking(unsafe { CStr::from_ptr(name) }, frame);
    }
    // SAFETY: the C library's `sem_unlink`.
    let real: unsafe extern "C" fn(*const c_char) -> c_int =
        unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own argument.
    unsafe { real(name) }
}

/// `sem_close(3)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sem_close(semaphore: *mut sem_t) -> c_int {
    if config::get().rewrites() && semaphores::closing(semaphore as usize) == Closed::Done {
        return 0;
    }
    let Some(address) = CLOSE.get(c"sem_close") else {
        return missing();
    };
    // SAFETY: the C library's `sem_close`.
    let real: unsafe extern "C" fn(*mut sem_t) -> c_int = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own argument.
    unsafe { real(semaphore) }
}
