//! Variables that one process of this library leaves for another.

use core::ffi::{CStr, c_char};

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// The value of a variable, which is taken out of the environment before the program could see it.
///
/// # Safety
/// For the constructor: the program has no thread yet, and has not changed its environment.
pub unsafe fn take(name: &CStr) -> Option<&'static [u8]> {
    let name = name.to_bytes();
    // SAFETY: says the caller. The array ends with a null pointer, and each entry is a C string.
    unsafe {
        let mut at = environ;
        if at.is_null() {
            return None;
        }
        let value = loop {
            if (*at).is_null() {
                return None;
            }
            let entry = CStr::from_ptr(*at).to_bytes();
            if let Some(value) = entry
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix(b"="))
            {
                break value;
            }
            at = at.add(1);
        };
        // The rest moves up, the null pointer too.
        loop {
            *at = *at.add(1);
            if (*at).is_null() {
                return Some(value);
            }
            at = at.add(1);
        }
    }
}
