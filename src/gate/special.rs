//! The kinds of function that need a typed wrapper, because they are to be seen at each call, or
//! give out function pointers.
//!
//! The slot of a special function stays empty, so that each call comes through the gate, which
//! leaves the true address in the thread's block and goes to the wrapper. So one wrapper serves
//! any number of copies of the driver.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

use super::slots::{self, Index};
use super::{driver, pjrt};
use crate::lineage;
use crate::revive::{self, runtime};
use crate::sys::thread;

/// `CUDA_SUCCESS`. `CUresult` crosses the ABI as a number: an unknown code in a Rust enum would be
/// undefined behaviour.
const SUCCESS: u32 = 0;
/// From this version on, `cuGetProcAddress` asked for by name is the five-argument one (cuda.h).
const PROC_ADDRESS_V2_SINCE: c_int = 12000;

/// A function with a wrapper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// `cuInit`: recorded on success.
    Init = 1,
    /// `cuGetProcAddress` with four arguments (CUDA 11.3).
    ProcAddressV1 = 2,
    /// `cuGetProcAddress_v2`, with five (CUDA 12.0).
    ProcAddressV2 = 3,
    /// `GetPjrtApi`: XLA's plugin gives its table of functions.
    PjrtApi = 4,
    /// `cuGetExportTable`: the runtime API is present. No wrapper, only a note.
    ExportTable = 5,
    /// `cuDevicePrimaryCtxRetain`: where a runtime knows the devices of another driver.
    PrimaryRetain = 6,
}

impl Special {
    /// By the name of an exported symbol.
    pub fn of_export(name: &[u8]) -> Option<Self> {
        match name {
            b"cuInit" => Some(Self::Init),
            b"cuGetProcAddress" => Some(Self::ProcAddressV1),
            b"cuGetProcAddress_v2" => Some(Self::ProcAddressV2),
            b"cuGetExportTable" => Some(Self::ExportTable),
            b"cuDevicePrimaryCtxRetain" => Some(Self::PrimaryRetain),
            _ => None,
        }
    }

    /// By a name asked of `cuGetProcAddress`, for which the version decides the ABI.
    fn of_request(name: &[u8], version: c_int) -> Option<Self> {
        match Self::of_export(name) {
            Some(Self::ProcAddressV1) if version >= PROC_ADDRESS_V2_SINCE => {
                Some(Self::ProcAddressV2)
            }
            other => other,
        }
    }

    /// As kept in a slot's meaning; 0 is none.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Back from a slot's meaning.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Init,
            Self::ProcAddressV1,
            Self::ProcAddressV2,
            Self::PjrtApi,
            Self::ExportTable,
            Self::PrimaryRetain,
        ]
        .into_iter()
        .find(|special| special.code() == code)
    }
}

/// Whether a runtime asks for its private tables by this function.
pub fn is_export_table(index: Index) -> bool {
    slots::special(index) == Some(Special::ExportTable)
}

/// The wrapper to go to instead of the true function, in a call that returns to `caller`.
pub fn wrapper(index: Index, caller: usize) -> Option<usize> {
    match slots::special(index)? {
        // Once this process has recorded its initialisation, another `cuInit` tells nothing.
        Special::Init if lineage::initialised_here() => None,
        Special::Init => Some(init as *const () as usize),
        Special::ProcAddressV1 => Some(proc_address_v1 as *const () as usize),
        Special::ProcAddressV2 => Some(proc_address_v2 as *const () as usize),
        Special::PjrtApi => Some(pjrt_api as *const () as usize),
        Special::ExportTable => {
            lineage::note_runtime_api(caller);
            None
        }
        Special::PrimaryRetain if runtime::is_inherited() => {
            Some(primary_retain as *const () as usize)
        }
        Special::PrimaryRetain => None,
    }
}

type InitFn = unsafe extern "C" fn(c_uint) -> u32;
type ProcAddressV1Fn = unsafe extern "C" fn(*const c_char, *mut *mut c_void, c_int, u64) -> u32;
type ProcAddressV2Fn =
    unsafe extern "C" fn(*const c_char, *mut *mut c_void, c_int, u64, *mut c_uint) -> u32;
type PrimaryRetainFn = unsafe extern "C" fn(*mut usize, c_int) -> u32;
type PjrtApiFn = unsafe extern "C" fn() -> *const c_void;

unsafe extern "C" fn init(flags: c_uint) -> u32 {
    let here = thread::current();
    // SAFETY: the gate has just set it to the true `cuInit` that this call was for.
    let real: InitFn = unsafe { core::mem::transmute(here.special.get()) };
    revive::before_driver(real as usize);
    let attempt = lineage::begin_initialisation(c"cuInit");
    here.in_driver.set(here.in_driver.get() + 1);
    // SAFETY: the caller's own argument, to the function it meant to call.
    let result = unsafe { real(flags) };
    here.in_driver.set(here.in_driver.get() - 1);
    revive::after_driver(result == SUCCESS);
    attempt.finish(result);
    result
}

unsafe extern "C" fn primary_retain(context: *mut usize, device: c_int) -> u32 {
    // SAFETY: the gate has just set it to the true function that this call was for.
    let real: PrimaryRetainFn = unsafe { core::mem::transmute(thread::current().special.get()) };
    // SAFETY: the caller's own arguments.
    let result = unsafe { real(context, device) };
    if result == SUCCESS {
        // SAFETY: the driver has just written the handle there.
        runtime::retained(unsafe { *context });
    }
    result
}

unsafe extern "C" fn proc_address_v1(
    symbol: *const c_char,
    function: *mut *mut c_void,
    version: c_int,
    flags: u64,
) -> u32 {
    // SAFETY: the gate has just set it to the true four-argument function of this call.
    let real: ProcAddressV1Fn = unsafe { core::mem::transmute(thread::current().special.get()) };
    // SAFETY: the caller's own arguments.
    let result = unsafe { real(symbol, function, version, flags) };
    if result == SUCCESS {
        // SAFETY: the driver accepted the name and wrote the pointer.
        unsafe { exchange(symbol, function, version) };
    }
    result
}

unsafe extern "C" fn proc_address_v2(
    symbol: *const c_char,
    function: *mut *mut c_void,
    version: c_int,
    flags: u64,
    status: *mut c_uint,
) -> u32 {
    // SAFETY: the gate has just set it to the true five-argument function of this call.
    let real: ProcAddressV2Fn = unsafe { core::mem::transmute(thread::current().special.get()) };
    // SAFETY: the caller's own arguments; a null `status` is the driver's to accept.
    let result = unsafe { real(symbol, function, version, flags, status) };
    if result == SUCCESS {
        // SAFETY: the driver accepted the name and wrote the pointer.
        unsafe { exchange(symbol, function, version) };
    }
    result
}

/// Puts the stub in the place of the pointer that the driver gave.
unsafe fn exchange(symbol: *const c_char, function: *mut *mut c_void, version: c_int) {
    if symbol.is_null() || function.is_null() {
        return;
    }
    // SAFETY: the caller's out-parameter, which the driver has just written.
    let given = unsafe { *function } as usize;
    if given == 0 || crate::config::get().is_off() {
        return;
    }
    // SAFETY: a name that the driver has just read.
    let name = unsafe { CStr::from_ptr(symbol) };
    let special = Special::of_request(name.to_bytes(), version);
    // SAFETY: as for the reading above.
    unsafe { *function = driver::guard(name, given, false, special) as *mut c_void };
}

unsafe extern "C" fn pjrt_api() -> *const c_void {
    // SAFETY: the gate has just set it to the plugin's own function.
    let real: PjrtApiFn = unsafe { core::mem::transmute(thread::current().special.get()) };
    // SAFETY: the function takes no argument.
    pjrt::guarded(unsafe { real() })
}
