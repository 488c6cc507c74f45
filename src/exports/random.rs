//! `getrandom`, for the one question that a fresh interpreter asks before it hashes a text.

use core::ffi::{c_uint, c_void};

use super::real::Real;
use crate::python::hash_secret;

static GETRANDOM: Real = Real::new();

/// Finds the true function ahead of time: newer C libraries answer without a system call.
pub fn prepare() {
    GETRANDOM.get(c"getrandom");
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    type Getrandom = unsafe extern "C" fn(*mut c_void, usize, c_uint) -> isize;
    // SAFETY: the caller's buffer and its length, as `getrandom` takes them.
    if unsafe { hash_secret::answers(buffer.cast(), length) } {
        return length as isize;
    }
    let Some(address) = GETRANDOM.known() else {
        // An allocator may ask before the loader could be.
        // SAFETY: the caller's arguments, as the system call takes them.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as isize };
    };
    // SAFETY: the C library's `getrandom`.
    let real: Getrandom = unsafe { core::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    unsafe { real(buffer, length, flags) }
}
