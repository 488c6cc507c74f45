//! Putting the driver's libraries back to what they were before CUDA was initialised.
//!
//! libcuda keeps all it knows of this process in its own writable data, and has no thread-local
//! variables. Those bytes, copied before the first real `cuInit` and put back in a forked child
//! once nothing of the parent's devices is left there, make the library what it was when it was
//! loaded: the child's own `cuInit` succeeds, and every pointer that a program has of it stays good.
//!
//! | file | what it is for |
//! |---|---|
//! | [`image`] | the copies, whether they still fit, and putting them back |
//! | [`inherited`] | mappings and descriptors of the devices: which are the driver's, dropping them |
//! | [`mod@thread_local`] | a thread's own copy of a library's variables |
//! | [`thread_specific`] | what a library keeps for a thread by the C library's keys |
//!
//! When it may be done is [`crate::policy::revive`]'s to say. The parent's side runs where the
//! program calls `cuInit` or looks a function up; the child's side in a process that may hold any
//! lock for ever: system calls and static memory, no heap, no loader.

pub mod image;
pub mod inherited;
pub mod thread_local;
pub mod thread_specific;

use crate::config;
use crate::lineage;

/// Right before `cuInit`, the true one at `driver`, is called in a process that may be the first of
/// its line to do so: what is to be known of the time before.
pub fn before_driver(driver: usize) {
    if config::get().revives() && lineage::is_clean() {
        image::save(Some(driver));
        inherited::note_before();
    }
}

/// `cuInit` has returned.
pub fn after_driver() {
    if config::get().revives() {
        inherited::note_after();
    }
}

/// A program looks a function of one of the driver's other libraries up, or has come to one that it
/// is linked with: it has not called any yet.
pub fn before_library() {
    if config::get().revives() {
        image::save(None);
    }
}
