//! What `include/forkguard.h` looks up.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::policy::entry;

/// Registers an entry by name. Answers 1, and the data, in a process that was made to run it.
///
/// # Safety
/// `name` is a C string; the other two are places for the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkguard_entry(
    name: *const c_char,
    data: *mut *const c_void,
    len: *mut usize,
) -> c_int {
    if name.is_null() || data.is_null() || len.is_null() {
        return 0;
    }
    // SAFETY: the caller's C string.
    let Some(given) = entry::register(unsafe { CStr::from_ptr(name) }) else {
        return 0;
    };
    // SAFETY: the caller's places.
    unsafe {
        *data = given.as_ptr().cast();
        *len = given.len();
    }
    1
}

/// Names the entry, and its data, for which this thread's next `fork` is made.
///
/// # Safety
/// `name`, a C string, and `len` bytes at `data` stay until that fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkguard_exec_next(name: *const c_char, data: *const c_void, len: usize) {
    entry::next(name, data, len);
}
