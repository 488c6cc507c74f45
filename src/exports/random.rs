//! `getrandom`, for the one question that a fresh interpreter asks before it hashes a text.

use core::ffi::{c_uint, c_void};

use crate::python::hash_secret;

/// By a system call, as the C library's own: an allocator may ask before the loader could be.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    // SAFETY: the caller's buffer and its length, as `getrandom` takes them.
    unsafe {
        if hash_secret::answers(buffer.cast(), length) {
            return length as isize;
        }
        libc::syscall(libc::SYS_getrandom, buffer, length, flags) as isize
    }
}
