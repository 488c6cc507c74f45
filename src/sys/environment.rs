//! The environment of this process, changed in place: variables that one process of this library
//! leaves for another, and those that say what CUDA is to be.

use core::ffi::{CStr, c_char, c_void};

use super::program::Mapping;
use super::raw;

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

/// Hides all devices: from frameworks that look only now, and from what this process will start.
/// Python's own copy of the environment is Python's to change.
///
/// In a forked child with one thread, where the C library's lock may be held for ever: an entry is
/// exchanged in place, or the array is copied with one more. A program's own array may be constant;
/// then the copy has the entry. What is there already stays, so that a long line of forks, each of
/// the one before, does not grow.
pub fn hide_devices() {
    put(c"CUDA_VISIBLE_DEVICES=", true);
}

/// Sets a variable for good, one that is set already only to `replace` it. `entry` is the whole of it;
/// programs may write into their environment's strings, so they get a copy.
fn put(entry: &CStr, replace: bool) {
    const WORD: usize = size_of::<*mut c_char>();
    // `NAME=` of `NAME=value`.
    let equals = entry.to_bytes().iter().position(|&byte| byte == b'=');
    let name = &entry.to_bytes()[..equals.map_or(0, |at| at + 1)];
    let text = entry.to_bytes_with_nul();
    let _errno = raw::ErrnoGuard::new();
    // SAFETY: nobody else changes the array now, say the callers; it ends with a null pointer, and
    // each entry is a C string.
    unsafe {
        let mut count = 0;
        let mut place = None;
        while !environ.is_null() && !(*environ.add(count)).is_null() {
            let entry = environ.add(count);
            if place.is_none() && CStr::from_ptr(*entry).to_bytes().starts_with(name) {
                place = Some(count);
            }
            count += 1;
        }
        let stays =
            |at: usize| !replace || CStr::from_ptr(*environ.add(at)).to_bytes_with_nul() == text;
        if place.is_some_and(stays) {
            return;
        }
        let words = count + 2;
        let Ok(room) = Mapping::new(words * WORD + text.len()) else {
            return;
        };
        let room = room.leak();
        let copy: *mut c_void = room.as_mut_ptr().cast();
        let value = room[words * WORD..].as_mut_ptr();
        core::ptr::copy_nonoverlapping(text.as_ptr(), value, text.len());
        if let Some(at) = place
            && raw::write_word(environ.add(at) as usize, value as usize)
        {
            return;
        }
        // A mapping begins at a page.
        let copy = copy.cast::<*mut c_char>();
        if count > 0 {
            core::ptr::copy_nonoverlapping(environ, copy, count);
        }
        *copy.add(place.unwrap_or(count)) = value.cast();
        environ = copy;
    }
}

/// At load: sets a variable that the user did not set.
///
/// # Safety
/// For the constructor: the program has no thread yet.
pub unsafe fn set_default(entry: &'static CStr) {
    put(entry, false);
}
