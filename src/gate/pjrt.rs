//! XLA's plugin (JAX on CUDA): the gate in front of the PJRT functions.
//!
//! In a forked child of a process that used JAX no driver call is made: an operation is handed to
//! threads that do not exist there, and hangs for ever. But each operation goes through the table
//! of functions that the plugin's `GetPjrtApi` gives out. The program gets a copy of that table
//! in which each function is a stub, so that the first PJRT call in a forked child comes to the
//! gate, as a driver call does. (What it answers where CUDA is absent is in [`super::pjrt_absent`].)

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::driver;
use super::pjrt_absent;
use super::pjrt_names::PJRT_FUNCTIONS;
use super::slots;
use crate::config;
use crate::gate::{self, Standing};
use crate::report::Kind;

/// Bytes of `PJRT_Api` before its first function pointer (`pjrt_c_api.h`): `struct_size`,
/// `extension_start`, and the version struct of 24.
const HEADER: usize = 40;
const WORD: usize = size_of::<usize>();
/// Tables a process may load (CUDA, and perhaps another platform's), and words of each.
pub const TABLES: usize = 4;
const WORDS: usize = 512;

struct Copies(UnsafeCell<[[usize; WORDS]; TABLES]>);

// SAFETY: each copy is written once, by the thread that claimed it in `ORIGINALS`, before it is
// published in `READY`.
unsafe impl Sync for Copies {}

static COPIES: Copies = Copies(UnsafeCell::new([[0; WORDS]; TABLES]));
static ORIGINALS: [AtomicUsize; TABLES] = [const { AtomicUsize::new(0) }; TABLES];
static READY: [AtomicUsize; TABLES] = [const { AtomicUsize::new(0) }; TABLES];

/// The guarded copy of the plugin's table; the table itself where it is not what we know.
pub fn guarded(api: *const c_void) -> *const c_void {
    if api.is_null() || config::get().is_off() {
        return api;
    }
    // SAFETY: a PJRT_Api begins with its own size.
    let size = unsafe { *api.cast::<usize>() };
    if !(HEADER..=WORDS * WORD).contains(&size) {
        return api;
    }
    for (place, original) in ORIGINALS.iter().enumerate() {
        // A plugin that a forked child loads itself has its threads there: only the driver,
        // which it will ask, was initialised elsewhere.
        if original.load(Ordering::Acquire) == 0 && gate::standing() == Standing::Forked {
            return api;
        }
        let claimed =
            original.compare_exchange(0, api as usize, Ordering::AcqRel, Ordering::Acquire);
        match claimed {
            Ok(_) => return copy(place, api, size),
            Err(known) if known == api as usize => {
                let ready = READY[place].load(Ordering::Acquire);
                // Another thread is copying it right now: this one gets the plugin's own.
                return if ready == 0 {
                    api
                } else {
                    ready as *const c_void
                };
            }
            Err(_) => {}
        }
    }
    api
}

fn copy(place: usize, api: *const c_void, size: usize) -> *const c_void {
    // SAFETY: this copy was claimed by this thread alone, see `Copies`.
    let copy = unsafe { &mut (*COPIES.0.get())[place] };
    // SAFETY: `size` is the table's own, at most the copy's; both are word-aligned.
    unsafe {
        core::ptr::copy_nonoverlapping(api.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), size);
    }
    let functions = &mut copy[HEADER / WORD..size / WORD];
    for (function, name) in functions.iter_mut().zip(PJRT_FUNCTIONS) {
        if *function != 0 {
            *function = pjrt_absent::reader(name, place, *function).unwrap_or_else(|| {
                match slots::admit(name, *function, false, Kind::XlaCall, None) {
                    Some(index) => index.stub(),
                    None => driver::unguarded(name, *function),
                }
            });
        }
    }
    let copy = core::ptr::from_ref(copy).cast::<c_void>();
    READY[place].store(copy as usize, Ordering::Release);
    copy
}
