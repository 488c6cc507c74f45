//! Putting the driver's libraries back to what they were before CUDA was initialised.
//!
//! libcuda keeps all it knows of this process in its own writable data, and has no thread-local
//! variables. Those bytes, copied before anybody calls it and put back in a forked child once
//! nothing of the parent's devices is left there, make the library what it was when it was loaded:
//! the child's own `cuInit` succeeds, and every pointer that a program has of it stays good.
//!
//! | file | what it is for |
//! |---|---|
//! | [`image`] | the copies, whether they still fit, and putting them back |
//! | [`inherited`] | mappings and descriptors of the devices: which to drop, dropping them |
//! | [`mod@thread_local`] | a thread's own copy of a library's variables |
//! | [`thread_specific`] | what a library keeps for a thread by the C library's keys |
//! | [`runtime`] | a runtime API that had only counted devices |
//!
//! When it may be done is [`crate::policy::revive`]'s to say. The parent's side runs where the
//! program calls `cuInit` or looks a function up; the child's side in a process that may hold any
//! lock for ever: system calls and static memory, no heap, no loader.

pub mod image;
pub mod inherited;
pub mod runtime;
pub mod thread_local;
pub mod thread_specific;

use crate::config;
use crate::lineage;
use crate::sys::process_lock::ProcessOnce;
use crate::sys::thread;

/// What is to be known of the time around the first `cuInit`, until one has succeeded: from then on
/// the process is not what it was before it. Of several threads' calls at once the first that comes
/// back notes how it is then, and the others wait for that: what they do next (a runtime API enters
/// itself with the driver, NVML opens its files) would be taken for the driver's own.
static AROUND: ProcessOnce = ProcessOnce::new();

/// Right before `cuInit`, the true one at `driver`, is called in a process that may be the first of
/// its line to do so: what is to be known of the time before.
pub fn before_driver(driver: usize) {
    if config::get().revives() && lineage::is_clean() {
        image::save(Some(driver));
        around(|| {
            inherited::note_before();
            false
        });
    }
}

/// `cuInit` has returned: what is to be known of the time after, if it `succeeded` for the first time
/// in this process.
pub fn after_driver(succeeded: bool) {
    if config::get().revives() {
        around(|| {
            inherited::note_after();
            if succeeded {
                runtime::driver_started();
            }
            succeeded
        });
    }
}

fn around(note: impl FnOnce() -> bool) {
    let Some(reviving) = thread::current().begin_reviving() else {
        // A signal handler, in the middle of it.
        return;
    };
    AROUND.attempt(note);
    drop(reviving);
}

/// A function of the driver's at `found` is about to be given out, to anybody: NVML calls libcuda,
/// too, and before `cuInit` is. What it left there would be taken for what had always been there.
pub fn before_use(found: usize) {
    if config::get().revives() && lineage::is_clean() && !image::is_saved() {
        image::save(Some(found));
    }
}

/// A program looks a function of one of the driver's other libraries up, or has come to one that it
/// is linked with: it has not called any yet.
pub fn before_library() {
    if config::get().revives() {
        image::save(None);
    }
}

/// In a forked child, the thread that forked: what the libraries kept for it in the parent is not for a
/// driver to take down that another thread may get this process. One that refuses everything does not
/// miss it.
pub fn after_fork() {
    if config::get().revives() {
        image::forget_thread();
    }
}
