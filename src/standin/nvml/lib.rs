//! A `libnvidia-ml.so.1` for machines without one: NVML works, and counts no device.
//!
//! Where PyTorch counts devices it asks NVML, which initialises nothing, and goes to the driver only
//! where NVML fails. A program that is clean on every machine with a GPU would be a culprit for
//! `forkguard check` on a machine without one, if the stand-in for the driver came without this.
//!
//! It has the functions by which programs start and count, and no other: whoever looks for one of
//! those takes it for a version of NVML that does not have it.

#![allow(non_snake_case, reason = "the names are NVIDIA's")]

use core::ffi::{CStr, c_char, c_uint};

const SUCCESS: u32 = 0;
const INVALID_ARGUMENT: u32 = 2;

/// Starts NVML.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit() -> u32 {
    SUCCESS
}

/// Starts NVML, as programs of today do.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> u32 {
    SUCCESS
}

/// Starts NVML; that there is no device is no error, whatever the flags.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> u32 {
    SUCCESS
}

/// Ends it.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> u32 {
    SUCCESS
}

/// Writes how many devices there are.
///
/// # Safety
/// `count` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount(count: *mut c_uint) -> u32 {
    if count.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as the caller promises.
    unsafe { *count = 0 };
    SUCCESS
}

/// The same, as programs of today ask.
///
/// # Safety
/// `count` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { nvmlDeviceGetCount(count) }
}

/// A result's words.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(result: u32) -> *const c_char {
    let words: &CStr = match result {
        SUCCESS => c"Success",
        INVALID_ARGUMENT => c"Invalid Argument",
        _ => c"Unknown Error",
    };
    words.as_ptr()
}
