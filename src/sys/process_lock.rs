//! A lock that a forked child does not inherit.
//!
//! What some thread of the parent held when this process was forked is free here: the holder does
//! not exist. So it may be taken where no other lock may, in the child of a process with threads.
//! A thread that has it must not come again (a signal handler could): who takes it says so in the
//! thread's own block first.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::raw;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and another thread may be waiting.
const AWAITED: u32 = 2;

/// The process above, what it does with the lock below.
#[derive(Default)]
pub struct ProcessLock(AtomicU64);

/// Gives the lock back when dropped.
pub struct Held<'a>(&'a ProcessLock);

impl ProcessLock {
    /// Free.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes it; waits while another thread of this very process has it.
    pub fn take(&self) -> Held<'_> {
        let me = u64::from(raw::getpid() as u32) << 32;
        let mut taken = HELD;
        loop {
            let state = self.0.load(Ordering::Relaxed);
            if state >> 32 != me >> 32 || state as u32 == FREE {
                let ours = me | u64::from(taken);
                if self
                    .0
                    .compare_exchange(state, ours, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
                {
                    return Held(self);
                }
                continue;
            }
            let awaited = me | u64::from(AWAITED);
            if state == awaited
                || self
                    .0
                    .compare_exchange(state, awaited, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                raw::wait_while(self.phase(), AWAITED);
                // Others may wait as well: whoever gets it now wakes the next.
                taken = AWAITED;
            }
        }
    }

    /// The lower half, for the kernel.
    fn phase(&self) -> &AtomicU32 {
        const _: () = assert!(cfg!(target_endian = "little"), "the lower half comes first");
        // SAFETY: the first four bytes of eight that are aligned and atomic, and live as long; the
        // kernel alone reads them by this address.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().cast()) }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let me = u64::from(raw::getpid() as u32) << 32;
        let before = self.0.0.swap(me | u64::from(FREE), Ordering::Release);
        if before as u32 == AWAITED {
            raw::wake_all(self.0.phase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn one_thread_at_a_time_has_it() {
        static LOCK: ProcessLock = ProcessLock::new();
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        static TURNS: AtomicUsize = AtomicUsize::new(0);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..1000 {
                        let held = LOCK.take();
                        assert_eq!(INSIDE.fetch_add(1, Ordering::Relaxed), 0);
                        TURNS.fetch_add(1, Ordering::Relaxed);
                        INSIDE.fetch_sub(1, Ordering::Relaxed);
                        drop(held);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(TURNS.load(Ordering::Relaxed), 8000);
    }

    /// Fails by hanging.
    #[test]
    fn what_another_process_held_is_free() {
        let lock = ProcessLock::new();
        let parent = u64::from(raw::getpid() as u32 + 1) << 32;
        lock.0.store(parent | u64::from(AWAITED), Ordering::Relaxed);
        drop(lock.take());
        drop(lock.take());
    }
}
