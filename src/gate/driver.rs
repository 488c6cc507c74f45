//! Which addresses are the driver's, and the stub for each.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::answers;
use super::slots::{self, Index};
use super::special::Special;
use crate::lookup;
use crate::report::Kind;
use crate::revive;
use crate::sys::elf;

/// Copies of driver libraries remembered; a process has one libcuda and at most one libnvcuvid.
const RANGES: usize = 8;

static STARTS: [AtomicUsize; RANGES] = [const { AtomicUsize::new(0) }; RANGES];
static ENDS: [AtomicUsize; RANGES] = [const { AtomicUsize::new(0) }; RANGES];
static FULL_SAID: AtomicBool = AtomicBool::new(false);
static MISSING_SAID: AtomicBool = AtomicBool::new(false);

/// Whether a program may obtain a driver function by this name: `cu[A-Z]…` or `cuvid…`. (cuBLAS,
/// cuDNN, cuFFT and curl begin with `cu`, too.)
pub fn is_driver_name(name: &[u8]) -> bool {
    matches!(name, [b'c', b'u', b'A'..=b'Z', ..]) || name.starts_with(b"cuvid")
}

/// Whether a name is one by which programs come to the encoder's or the optical flow's functions, of
/// which the driver's own library is called beneath.
pub fn is_other_librarys_name(name: &[u8]) -> bool {
    name.starts_with(b"NvEncodeAPI") || name.starts_with(b"NvOFAPI")
}

fn is_decoders(name: &CStr) -> bool {
    name.to_bytes().starts_with(b"cuvid")
}

/// Whether a library of this file name is guarded.
pub fn is_guarded_library(file: &[u8]) -> bool {
    file.starts_with(b"libcuda.so") || file.starts_with(b"libnvcuvid.so")
}

/// Whether `address` lies in a library that belongs to the driver: its own lookups must get true
/// pointers (the driver for WSL looks its own names up).
pub fn is_drivers_own(address: usize) -> bool {
    elf::object_at(address).is_some_and(|object| {
        let file = object.file_name();
        is_guarded_library(file) || file.starts_with(b"libnvidia-")
    })
}

/// Whether `address` lies in libcuda or libnvcuvid.
pub fn contains(address: usize) -> bool {
    if address == 0 {
        return false;
    }
    for (start, end) in STARTS.iter().zip(&ENDS) {
        let end = end.load(Ordering::Acquire);
        if end == 0 {
            break;
        }
        if (start.load(Ordering::Relaxed)..end).contains(&address) {
            return true;
        }
    }
    let found = elf::object_at(address).filter(|object| is_guarded_library(object.file_name()));
    if let Some(object) = &found {
        remember(object.range());
    }
    found.is_some()
}

fn remember(range: (usize, usize)) {
    for (start, end) in STARTS.iter().zip(&ENDS) {
        if start
            .compare_exchange(0, range.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            end.store(range.1, Ordering::Release);
            return;
        }
        if start.load(Ordering::Relaxed) == range.0 {
            return;
        }
    }
}

/// The stub to hand out for `target`; `target` itself where it is not the driver's, or where no
/// slot is left.
pub fn guard(name: &CStr, target: usize, exported: bool, special: Option<Special>) -> usize {
    if !contains(target) {
        return target;
    }
    if is_decoders(name) {
        revive::before_library();
    }
    match slots::admit(name, target, exported, Kind::DriverCall, special) {
        Some(index) => {
            super::ready(index, target);
            index.stub()
        }
        None => unguarded(name, target),
    }
}

/// Without a slot the program gets the true function: the guard does not see its calls.
pub fn unguarded(name: &CStr, target: usize) -> usize {
    if !FULL_SAID.swap(true, Ordering::Relaxed) {
        crate::report::emit::notice(format_args!(
            "the table of {} driver functions is full; from {} on, functions that the program \
             obtains are not guarded. Please report which program this is",
            slots::CAPACITY,
            name.to_str().unwrap_or("a driver function"),
        ));
    }
    target
}

/// The true address of an exported name that a program reached by linking.
pub fn resolve(index: Index) -> Option<usize> {
    let name = slots::name(index);
    let target = lookup::driver_symbol(name)?;
    if is_decoders(name) {
        revive::before_library();
    }
    Some(slots::set_target(index, target))
}

/// What a call answers whose function is not there: the program was linked against a driver that
/// has it (or against no driver at all), and runs with one that has not.
pub fn missing_answer(name: &CStr) -> u32 {
    let mut present = false;
    elf::each_object(|object| {
        present = object.file_name().starts_with(b"libcuda.so");
        !present
    });
    if present {
        if !MISSING_SAID.swap(true, Ordering::Relaxed) {
            crate::report::emit::notice(format_args!(
                "pid {}: {} was called, but the libcuda.so.1 of this machine does not have it \
                 (answered CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND). A newer driver is needed",
                crate::sys::raw::getpid(),
                name.to_str().unwrap_or("a driver function"),
            ));
        }
        answers::SHARED_OBJECT_SYMBOL_NOT_FOUND
    } else {
        answers::STUB_LIBRARY
    }
}
