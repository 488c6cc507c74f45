//! Native stacks: return addresses, as the C library's unwinder finds them.
//!
//! Where glibc finds unwind tables without a lock (`_dl_find_object`, 2.35) a stack may be taken
//! anywhere. On an older one the unwinder takes the loader's lock, which a forked child may never
//! get: there [`is_safe`] says no, and who asks must be ready to end the process.

use core::ffi::{c_int, c_void};

use super::{NATIVE_FRAMES, Stack};
use crate::sys::elf;

/// What the unwinder knows of a frame; it is its own.
#[repr(C)]
struct Frame {
    _opaque: [u8; 0],
}

/// `_URC_NO_REASON`, `_URC_NORMAL_STOP`: go on, or not.
const GO_ON: c_int = 0;
const STOP: c_int = 4;

// The C++ ABI's unwinder, which build.rs links in.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: unsafe extern "C" fn(*mut Frame, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(frame: *mut Frame) -> usize;
    fn _Unwind_GetCFA(frame: *mut Frame) -> usize;
}

/// Whether a stack can be taken in a forked child.
pub fn is_safe() -> bool {
    elf::finds_without_lock()
}

/// Takes the calling thread's stack, without this library's own frames.
pub fn capture(into: &mut Stack) {
    into.native_len = 0;
    let mut outside = false;
    walk(|address, _| {
        outside |= !elf::is_ours(address);
        if outside && address != 0 {
            into.native[into.native_len] = address;
            into.native_len += 1;
        }
        into.native_len < NATIVE_FRAMES
    });
}

/// Goes up the calling thread's stack as long as `each` says so: it gets the address at which each
/// frame goes on, and where on the stack that frame's caller begins.
pub fn walk<Each: FnMut(usize, usize) -> bool>(mut each: Each) {
    unsafe extern "C" fn visit<Each: FnMut(usize, usize) -> bool>(
        frame: *mut Frame,
        each: *mut c_void,
    ) -> c_int {
        // SAFETY: what is passed on below, which nobody else has meanwhile.
        let each = unsafe { &mut *each.cast::<Each>() };
        // SAFETY: the frame that the unwinder shows just now.
        let (address, end) = unsafe { (_Unwind_GetIP(frame), _Unwind_GetCFA(frame)) };
        if each(address, end) { GO_ON } else { STOP }
    }
    // SAFETY: calls `visit` with frames of this thread, and comes back; any number of threads may.
    unsafe { _Unwind_Backtrace(visit::<Each>, (&raw mut each).cast()) };
}

/// The address that called into this library.
pub fn caller(stack: &Stack) -> usize {
    stack.native().first().copied().unwrap_or(0)
}
