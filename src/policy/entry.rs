//! Entries: a program's own way to say what a worker does, so that a fresh process can do it.
//!
//! A C or C++ program includes `include/forkguard.h`, registers an entry by name at the beginning
//! of `main`, and before a fork names the entry and its data. Under `exec`, where CUDA was
//! initialised, that fork becomes a fresh process of the program ([`launch`]), which runs up to
//! the registration and then the entry in place of the rest ([`fresh`]). In all other cases the
//! fork is a fork, and the program's own next lines call the entry.
//!
//! The parent's side runs in a process that may be anything but is not on its way to a report. It
//! holds no lock, and what a thread named is that thread's own.

pub mod fresh;
pub mod launch;
pub mod payload;

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{AtomicU64, Ordering};

use super::exec::{self, Rewrite};
use crate::report::buffer::Buffer;
use crate::sys::{command_line, raw, thread};
use crate::{config, lineage};

/// Bytes of the longest name.
pub const NAME: usize = 255;
/// Names that a process can register.
const NAMES: usize = 256;

/// A hash of each name that was registered here.
static REGISTERED: [AtomicU64; NAMES] = [const { AtomicU64::new(0) }; NAMES];

/// Registers an entry. Answers its data in the process that was made to run it.
pub fn register(name: &CStr) -> Option<&'static [u8]> {
    if config::get().rewrites() {
        // Here, where programs have not written over their arguments yet.
        command_line::keep();
        let hash = hash(name);
        for place in &REGISTERED {
            match place.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(known) if known == hash => break,
                Err(_) => {}
            }
        }
    }
    fresh::take(name)
}

fn is_registered(name: &CStr) -> bool {
    let hash = hash(name);
    let mut all = REGISTERED.iter();
    all.any(|place| place.load(Ordering::Relaxed) == hash)
}

/// FNV-1a; never 0, which is a free place.
fn hash(name: &CStr) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in name.to_bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash | 1
}

/// Names what this thread's next fork is to do; read when that comes.
pub fn next(name: *const c_char, data: *const c_void, len: usize) {
    fresh::end_if_missed();
    let here = thread::current();
    here.entry_name.set(name as usize);
    here.entry_data.set(data as usize);
    here.entry_len.set(len);
}

/// Forgets it: this fork is of another kind. A fork of the driver's own is none of the program's.
pub fn forget() {
    let here = thread::current();
    if here.in_driver.get() == 0 {
        here.entry_name.set(0);
    }
}

/// At this thread's `fork`: the pid of the fresh process that was started in its place.
pub fn fork() -> Option<i32> {
    let here = thread::current();
    let name = here.entry_name.get();
    if name == 0 || here.in_driver.get() != 0 {
        return None;
    }
    forget();
    if lineage::is_clean() || !exec::is_asked() {
        return None;
    }
    let _errno = raw::ErrnoGuard::new();
    // SAFETY: the program's own string, which it promised to keep until the fork.
    let name = unsafe { CStr::from_ptr(name as *const c_char) };
    let (data, len) = (here.entry_data.get(), here.entry_len.get());
    let began = raw::clock_ns(libc::CLOCK_MONOTONIC);
    let result = launch::launch(name, data, len);
    let took_us = (raw::clock_ns(libc::CLOCK_MONOTONIC) - began) / 1000;
    let mut room = [0; 512];
    let mut reason = Buffer::new(&mut room);
    if let Err(refusal) = &result {
        reason.put(format_args!("{refusal}"));
        exec::refuse(reason.since(0));
    }
    exec::tell(&Rewrite {
        way: "exec",
        child: result.as_ref().ok().copied(),
        process: name.to_str().unwrap_or("an entry"),
        reason: reason.since(0),
        suspicious: "",
        payload: len as u64,
        took_us,
        replaced: None,
    });
    result.ok()
}
