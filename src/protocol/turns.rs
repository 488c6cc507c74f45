//! What threads of a process do by turns, until one has done it for good.
//!
//! A forked child does not inherit it: the thread whose turn it was is not in the child, and what the
//! parent has done the child has not. So the word says of which process it is, and is nothing in another
//! one.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicU64, constructor};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and another thread may be waiting.
const AWAITED: u32 = 2;
/// There are no turns any more.
const DONE: u32 = 3;

/// The process above, what it does below. Zeroed, nobody has taken a turn.
#[derive(Default)]
pub struct Turns(AtomicU64);

/// How a thread waits.
pub trait Waiting {
    /// Comes back when the word is no longer `value`, or for no reason.
    fn wait(&self, word: &AtomicU64, value: u64);
    /// Wakes all who wait at the word.
    fn wake(&self, word: &AtomicU64);
}

impl Turns {
    constructor! {
        /// Nobody has taken one.
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Takes a turn in the process `pid`, when every other one that was taken there has been given
    /// back. False where it has been done for good, by what happened before.
    pub fn take(&self, pid: i32, waiting: &impl Waiting) -> bool {
        loop {
            let word = self.0.load(Ordering::Acquire);
            let phase = if is_of(word, pid) { word as u32 } else { FREE };
            match phase {
                DONE => return false,
                FREE if self.replace(word, pid, TAKEN) => return true,
                FREE => {}
                // All are woken, and who does not get the next turn says again that it waits.
                AWAITED => waiting.wait(&self.0, word),
                // Looked at again, so that what is waited for is this very word.
                _ => {
                    self.replace(word, pid, AWAITED);
                }
            }
        }
    }

    /// Gives the turn back, by the thread that has it; `is_done` says that there is to be no other.
    pub fn give_back(&self, pid: i32, is_done: bool, waiting: &impl Waiting) {
        let phase = if is_done { DONE } else { FREE };
        let before = self.0.swap(of(pid, phase), Ordering::Release);
        if before as u32 == AWAITED {
            waiting.wake(&self.0);
        }
    }

    fn replace(&self, word: u64, pid: i32, phase: u32) -> bool {
        self.0
            .compare_exchange(word, of(pid, phase), Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// A forked child's, which is a copy.
    #[cfg(all(test, loom))]
    pub fn forked(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

fn of(pid: i32, phase: u32) -> u64 {
    u64::from(pid as u32) << 32 | u64::from(phase)
}

fn is_of(word: u64, pid: i32) -> bool {
    (word >> 32) as u32 == pid as u32
}
