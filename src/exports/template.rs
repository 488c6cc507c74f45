//! What the template's Python asks this library for, by `ctypes`.

use crate::python::{api::Object, template};

/// A dict of the functions that the embedded Python calls, or null with an exception set.
///
/// # Safety
/// The GIL must be held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkguard_natives() -> Object {
    // SAFETY: as the caller says.
    unsafe { template::natives() }
}
