//! What the `forkguard` command asks the library, in a process that has it preloaded.
//!
//! Not in `include/forkguard.h`: what is said, and how, is between a command and the library of the
//! same version.

use core::ffi::c_char;

use crate::describe;
use crate::report::buffer::Buffer;

/// Writes what the guard says of itself, one JSON object, and answers its length: 0 where `size`
/// bytes are too few.
///
/// # Safety
/// `buffer` has room for `size` bytes, and nobody else uses them meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkguard_describe(buffer: *mut c_char, size: usize) -> usize {
    if buffer.is_null() || size > isize::MAX as usize {
        return 0;
    }
    // SAFETY: the caller's memory, which is this function's alone until it returns; the bytes are
    // set before they are a slice.
    let room = unsafe {
        buffer.write_bytes(0, size);
        core::slice::from_raw_parts_mut(buffer.cast::<u8>(), size)
    };
    let mut out = Buffer::new(room);
    describe::put(&mut out);
    if out.is_cut() { 0 } else { out.end() }
}
