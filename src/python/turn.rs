//! One thread at a time in the adapter.
//!
//! What the adapter keeps between starts, and what its first start imports, is not made for two
//! threads at once: the second would find half of it. It waits here, without the GIL, until the
//! first is done.
//!
//! The wait has an end. In a thread's turn code of the program's runs (how its objects are
//! pickled), and that may wait for the very thread that waits here.
//!
//! A word and a futex: a lock of the interpreter's would stay held for ever in the child of a fork
//! that another thread makes meanwhile.

use core::sync::atomic::{AtomicU64, Ordering};

use super::native::Calls;
use crate::sys::raw;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const WAITED_FOR: u32 = 2;
/// How long a thread waits for its turn.
const PATIENCE_NS: u64 = 10_000_000_000;

/// The process above, one of the words below. A forked child finds its parent's pid: the thread
/// that had the turn is not there.
static STATE: AtomicU64 = AtomicU64::new(0);

/// A thread's turn, to the end of its scope.
pub struct Turn(());

impl Turn {
    /// The turn, if nobody has it.
    pub fn at_once() -> Option<Self> {
        // Not `then_some`: a `Turn` that was made for nothing would give back another's.
        take(TAKEN).then(|| Self(()))
    }

    /// The turn, or none after a long wait.
    ///
    /// # Safety
    /// The GIL must be held; it is given up and taken again.
    pub unsafe fn wait(calls: &Calls) -> Option<Self> {
        Self::at_once().or_else(|| {
            // SAFETY: the GIL is held, says the caller; nothing of the interpreter's is touched
            // until the thread has it again.
            unsafe {
                let thread = (calls.save_thread)();
                let taken = wait();
                (calls.restore_thread)(thread);
                taken.then(|| Self(()))
            }
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let before = STATE.swap(state(FREE), Ordering::AcqRel);
        if before == state(WAITED_FOR) {
            // SAFETY: wakes one of this process's threads that wait at this address.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word(),
                    libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                    1,
                );
            }
        }
    }
}

fn state(word: u32) -> u64 {
    u64::from(raw::getpid().cast_unsigned()) << 32 | u64::from(word)
}

/// The part of the state that the kernel compares.
fn word() -> *const u32 {
    let second = usize::from(cfg!(target_endian = "big"));
    STATE.as_ptr().cast::<u32>().wrapping_add(second)
}

/// Takes the turn where it is free.
fn take(how: u32) -> bool {
    STATE
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |found| {
            (found != state(TAKEN) && found != state(WAITED_FOR)).then(|| state(how))
        })
        .is_ok()
}

/// Others may wait as well: whoever has waited leaves word that somebody is to be woken.
fn wait() -> bool {
    let end = raw::clock_ns(libc::CLOCK_MONOTONIC) + PATIENCE_NS;
    while !take(WAITED_FOR) {
        let now = raw::clock_ns(libc::CLOCK_MONOTONIC);
        if now >= end {
            return false;
        }
        let (taken, waited_for) = (state(TAKEN), state(WAITED_FOR));
        let _ = STATE.compare_exchange(taken, waited_for, Ordering::AcqRel, Ordering::Acquire);
        let left = libc::timespec {
            tv_sec: ((end - now) / 1_000_000_000).cast_signed(),
            tv_nsec: ((end - now) % 1_000_000_000).cast_signed(),
        };
        // SAFETY: the kernel reads the word and the time; it returns when the word is another,
        // when it is woken, by a signal, or when the time is up.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                WAITED_FOR,
                &raw const left,
            );
        }
    }
    true
}
