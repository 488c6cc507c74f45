//! What the main thread is asked to do when it comes back to Python code (`Py_AddPendingCall`): with
//! the GIL, and outside of whatever called the driver, which may hold any lock of a library's.
//!
//! Asked from any thread, without the GIL. What was asked for and not done yet is inherited: it may
//! run in a forked child. The interpreter keeps few such calls, and may refuse one.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

use super::api;
use crate::sys::raw;

/// What is called; answers 0, and leaves no exception.
pub(super) type Call = unsafe extern "C" fn(*mut c_void) -> c_int;

/// Whether the interpreter takes it.
pub(super) fn ask(call: Call) -> bool {
    type AddPendingCall = unsafe extern "C" fn(Call, *mut c_void) -> c_int;
    let Some(add) = api::ADD_PENDING_CALL.get() else {
        return false;
    };
    // SAFETY: the interpreter's function of this type, in every version.
    let add: AddPendingCall = unsafe { core::mem::transmute(add) };
    // SAFETY: takes a function and its argument, from any thread, without the GIL.
    unsafe { add(call, core::ptr::null_mut()) == 0 }
}

/// Asks once in a process: `asked_in` keeps which.
pub(super) fn ask_once(asked_in: &AtomicI32, call: Call) {
    let here = raw::getpid();
    if asked_in.swap(here, Ordering::Relaxed) != here && !ask(call) {
        asked_in.store(0, Ordering::Relaxed);
    }
}
