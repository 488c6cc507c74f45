//! Native stacks: return addresses, as the C library's unwinder finds them.
//!
//! Where glibc finds unwind tables without a lock (`_dl_find_object`, 2.35) a stack may be taken
//! anywhere. On an older one the unwinder takes the loader's lock, which a forked child may never
//! get: there [`is_safe`] says no, and who asks must be ready to end the process.

use super::{NATIVE_FRAMES, Stack};
use crate::sys::elf;

/// Whether a stack can be taken in a forked child.
pub fn is_safe() -> bool {
    elf::finds_without_lock()
}

/// Takes the calling thread's stack, without this library's own frames.
pub fn capture(into: &mut Stack) {
    into.native_len = 0;
    let mut outside = false;
    // SAFETY: `trace_unsynchronized` wants nobody else to trace at the time because of state of
    // its own on other platforms; on Linux it is `_Unwind_Backtrace`, which any number of threads
    // may call.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let address = frame.ip() as usize;
            outside |= !elf::is_ours(address);
            if outside && address != 0 {
                into.native[into.native_len] = address;
                into.native_len += 1;
            }
            into.native_len < NATIVE_FRAMES
        });
    }
}

/// Goes up the calling thread's stack as long as `each` says so: it gets the address at which each
/// frame goes on, and where on the stack that frame's caller begins.
pub fn walk(mut each: impl FnMut(usize, usize) -> bool) {
    // SAFETY: as in `capture`.
    unsafe {
        backtrace::trace_unsynchronized(|frame| each(frame.ip() as usize, frame.sp() as usize));
    }
}

/// The address that called into this library.
pub fn caller(stack: &Stack) -> usize {
    stack.native().first().copied().unwrap_or(0)
}
