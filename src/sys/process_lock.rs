//! A lock that a forked child does not inherit.
//!
//! What some thread of the parent held when this process was forked is free here: the holder does
//! not exist. So it may be taken where no other lock may, in the child of a process with threads.
//! A thread that has it must not come again (a signal handler could): who takes it says so in the
//! thread's own block first.

use core::sync::atomic::{AtomicU32, AtomicU64};

use forkguard_protocol::turns::{Turns, Waiting};

use super::raw;

/// Whose turn it is, in which process ([`forkguard_protocol::turns`]).
#[derive(Default)]
pub struct ProcessLock(Turns);

/// Gives the lock back when dropped.
pub struct Held<'a>(&'a ProcessLock);

impl ProcessLock {
    /// Free.
    pub const fn new() -> Self {
        Self(Turns::new())
    }

    /// Takes it; waits while another thread of this very process has it.
    pub fn take(&self) -> Held<'_> {
        // Always: nobody gives such a lock back for good.
        self.0.take(raw::getpid(), &Kernel);
        Held(self)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.give_back(raw::getpid(), false, &Kernel);
    }
}

/// What is done in a process under such a lock until it has been done for good.
#[derive(Default)]
pub struct ProcessOnce(Turns);

impl ProcessOnce {
    /// Not done.
    pub const fn new() -> Self {
        Self(Turns::new())
    }

    /// Does `act`, which answers whether that was for good; waits while another thread of this very
    /// process is at it. Where one has done it for good, it is not done again.
    pub fn attempt(&self, act: impl FnOnce() -> bool) {
        if self.0.take(raw::getpid(), &Kernel) {
            let is_done = act();
            self.0.give_back(raw::getpid(), is_done, &Kernel);
        }
    }
}

struct Kernel;

impl Waiting for Kernel {
    fn wait(&self, word: &AtomicU64, value: u64) {
        raw::wait_while(phase(word), value as u32);
    }

    fn wake(&self, word: &AtomicU64) {
        raw::wake_all(phase(word));
    }
}

/// The half of the word that the kernel looks at: what its process does.
fn phase(word: &AtomicU64) -> &AtomicU32 {
    const _: () = assert!(cfg!(target_endian = "little"), "the lower half comes first");
    // SAFETY: the first four bytes of eight that are aligned and atomic, and live as long; the
    // kernel alone reads them by this address.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
        assert!(lock.0.take(raw::getpid() + 1, &Kernel));
        drop(lock.take());
        drop(lock.take());
    }

    #[test]
    fn what_is_done_is_not_done_again() {
        static ONCE: ProcessOnce = ProcessOnce::new();
        static TRIES: AtomicUsize = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    ONCE.attempt(|| TRIES.fetch_add(1, Ordering::Relaxed) == 2);
                    // Whoever comes back has waited for it, or has failed.
                    assert!(TRIES.load(Ordering::Relaxed) > 0);
                });
            }
        });
        assert_eq!(TRIES.load(Ordering::Relaxed), 3);
    }
}
