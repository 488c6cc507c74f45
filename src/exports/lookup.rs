//! `dlsym` and `dlvsym`.

use core::ffi::{c_char, c_void};

use crate::gate::arch::lookup_code;
use crate::lookup;

/// `dlsym(3)`. See [`crate::lookup`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    lookup_code!(lookup::dlsym, lookup::REAL_DLSYM, lookup::dlsym_first)
}

/// `dlvsym(3)`. See [`crate::lookup`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dlvsym(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
) -> *mut c_void {
    lookup_code!(lookup::dlvsym, lookup::REAL_DLVSYM, lookup::dlvsym_first)
}
