//! `dlsym` and `dlvsym`.

use core::ffi::{c_char, c_void};

use crate::gate::arch;

/// `dlsym(3)`. See [`crate::lookup`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    arch::dlsym_code!()
}

/// `dlvsym(3)`. See [`crate::lookup`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dlvsym(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
) -> *mut c_void {
    arch::dlvsym_code!()
}
