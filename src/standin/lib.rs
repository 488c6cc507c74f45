//! A `libcuda.so.1` for machines without one: it answers as NVIDIA's does where there is no device.
//!
//! `forkguard check` gives it to programs on machines without a driver, so that a program that would
//! initialise CUDA comes to the point of asking. With `FORKGUARD_STANDIN=device` it has one device,
//! accepts `cuInit`, and refuses a forked child as NVIDIA's does, for the self-test of
//! `forkguard doctor`.
//!
//! It may not pretend that work was done: whatever is not asked by these few functions is refused.
//! It opens, maps and starts nothing, and keeps one number: the process that initialised it.

#![allow(non_snake_case, reason = "the names are NVIDIA's")]

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

const SUCCESS: u32 = 0;
const INVALID_VALUE: u32 = 1;
const NOT_INITIALIZED: u32 = 3;
const NO_DEVICE: u32 = 100;
const INVALID_DEVICE: u32 = 101;
const NOT_FOUND: u32 = 500;
const NOT_SUPPORTED: u32 = 801;

/// The codes that are ever answered here, with NVIDIA's names and words.
const RESULTS: [(u32, &CStr, &CStr); 7] = [
    (SUCCESS, c"CUDA_SUCCESS", c"no error"),
    (
        INVALID_VALUE,
        c"CUDA_ERROR_INVALID_VALUE",
        c"invalid argument",
    ),
    (
        NOT_INITIALIZED,
        c"CUDA_ERROR_NOT_INITIALIZED",
        c"initialization error",
    ),
    (
        NO_DEVICE,
        c"CUDA_ERROR_NO_DEVICE",
        c"no CUDA-capable device is detected",
    ),
    (
        INVALID_DEVICE,
        c"CUDA_ERROR_INVALID_DEVICE",
        c"invalid device ordinal",
    ),
    (
        NOT_FOUND,
        c"CUDA_ERROR_NOT_FOUND",
        c"named symbol not found",
    ),
    (
        NOT_SUPPORTED,
        c"CUDA_ERROR_NOT_SUPPORTED",
        c"operation not supported",
    ),
];

/// The newest CUDA that programs are known to be built for, and all later ones of its generation. A
/// runtime that is newer than its driver gives up before it ever calls `cuInit`.
const VERSION: c_int = 13_990;
/// From this version on, `cuGetProcAddress` is the function of five arguments (cuda.h).
const PROC_ADDRESS_V2_SINCE: c_int = 12_000;

/// The process whose `cuInit` succeeded.
static OWNER: AtomicI32 = AtomicI32::new(0);

fn pid() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getpid() }
}

/// Whether this very process has a device: not one that was forked from it.
fn is_initialised() -> bool {
    OWNER.load(Ordering::Relaxed) == pid()
}

fn has_device() -> bool {
    // SAFETY: the name is a C string; the answer is read at once.
    let value = unsafe { libc::getenv(c"FORKGUARD_STANDIN".as_ptr()) };
    // SAFETY: getenv gives null or a C string of the environment.
    !value.is_null() && unsafe { CStr::from_ptr(value) } == c"device"
}

/// What any other function answers.
extern "C" fn refuse() -> u32 {
    if is_initialised() {
        NOT_SUPPORTED
    } else {
        NOT_INITIALIZED
    }
}

/// Starts the driver: there is no device, unless one was asked for.
#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> u32 {
    if flags != 0 {
        return INVALID_VALUE;
    }
    let owner = OWNER.load(Ordering::Relaxed);
    if owner != 0 && owner != pid() {
        return NOT_INITIALIZED;
    }
    if !has_device() {
        return NO_DEVICE;
    }
    OWNER.store(pid(), Ordering::Relaxed);
    SUCCESS
}

/// Writes the version; needs no device.
///
/// # Safety
/// `version` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { put(version, VERSION) }
}

/// Writes how many devices there are.
///
/// # Safety
/// `count` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> u32 {
    if !is_initialised() {
        return NOT_INITIALIZED;
    }
    // SAFETY: as the caller promises.
    unsafe { put(count, 1) }
}

/// Writes the device of this number.
///
/// # Safety
/// `device` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> u32 {
    if !is_initialised() {
        return NOT_INITIALIZED;
    }
    if ordinal != 0 {
        return INVALID_DEVICE;
    }
    // SAFETY: as the caller promises.
    unsafe { put(device, 0) }
}

/// Writes a result's name.
///
/// # Safety
/// `name` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(result: u32, name: *mut *const c_char) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { put_words(result, name, |(_, name, _)| name) }
}

/// Writes a result's words.
///
/// # Safety
/// `words` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(result: u32, words: *mut *const c_char) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { put_words(result, words, |(_, _, words)| words) }
}

/// The private tables of NVIDIA's runtime: there are none.
#[unsafe(no_mangle)]
pub extern "C" fn cuGetExportTable(_table: *mut *const c_void, _uuid: *const c_void) -> u32 {
    NOT_FOUND
}

/// Writes the address of a function, as CUDA 11 asks for it.
///
/// # Safety
/// `name` is null or a C string, `function` null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetProcAddress(
    name: *const c_char,
    function: *mut *const c_void,
    version: c_int,
    _flags: u64,
) -> u32 {
    if name.is_null() || function.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: as the caller promises.
    let found = find(unsafe { CStr::from_ptr(name) }, version);
    // SAFETY: as the caller promises.
    unsafe { *function = found };
    if found.is_null() { NOT_FOUND } else { SUCCESS }
}

/// Writes the address of a function, and whether there is one, as CUDA 12 and later ask for it.
///
/// # Safety
/// `name` is null or a C string, `function` and `status` null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetProcAddress_v2(
    name: *const c_char,
    function: *mut *const c_void,
    version: c_int,
    _flags: u64,
    status: *mut c_uint,
) -> u32 {
    if name.is_null() || function.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: as the caller promises.
    let found = find(unsafe { CStr::from_ptr(name) }, version);
    // SAFETY: as the caller promises.
    unsafe {
        *function = found;
        // CU_GET_PROC_ADDRESS_SUCCESS, or CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND.
        put(status, c_uint::from(found.is_null()));
    }
    SUCCESS
}

/// # Safety
/// `place` is null or can be written to.
unsafe fn put<T>(place: *mut T, value: T) -> u32 {
    if place.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: as the caller promises.
    unsafe { *place = value };
    SUCCESS
}

/// # Safety
/// `place` is null or can be written to.
unsafe fn put_words(
    result: u32,
    place: *mut *const c_char,
    of: impl Fn((u32, &'static CStr, &'static CStr)) -> &'static CStr,
) -> u32 {
    let known = RESULTS.into_iter().find(|(code, _, _)| *code == result);
    let words = known.map_or(core::ptr::null(), |known| of(known).as_ptr());
    // SAFETY: as the caller promises.
    let put = unsafe { put(place, words) };
    if known.is_none() { INVALID_VALUE } else { put }
}

/// The function that `name` stands for. Only names without a version or a stream's suffix are known,
/// as to NVIDIA's driver; which of a function's versions it is does not matter to functions that
/// refuse whatever they are given.
fn find(name: &CStr, version: c_int) -> *const c_void {
    let name = name.to_bytes();
    let has_suffix = name.ends_with(b"_ptsz")
        || name.ends_with(b"_ptds")
        || matches!(name, [.., b'_', b'v', b'0'..=b'9']);
    if has_suffix {
        return core::ptr::null();
    }
    if name == b"cuGetProcAddress" && version >= PROC_ADDRESS_V2_SINCE {
        return cuGetProcAddress_v2 as *const c_void;
    }
    TABLE
        .binary_search_by(|(known, _)| known.as_bytes().cmp(name))
        .map_or(core::ptr::null(), |place| TABLE[place].1.0)
}

/// The address of a function.
struct Address(*const c_void);

// SAFETY: code does not change, and belongs to no thread.
unsafe impl Sync for Address {}

/// Functions with an address of their own, so that whoever watches their calls can tell them apart.
macro_rules! answered {
    ($($name:ident)*) => {$(
        /// Refuses.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name() -> u32 {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!("jmp {refuse}", refuse = sym refuse);
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!("b {refuse}", refuse = sym refuse);
        }
    )*};
}

macro_rules! table {
    ($($name:ident)*) => {
        /// Every name that is exported, sorted.
        static TABLE: &[(&str, Address)] = &[
            $((stringify!($name), Address($name as *const c_void)),)*
        ];
    };
}

include!(concat!(env!("OUT_DIR"), "/names.rs"));
