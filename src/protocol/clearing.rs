//! Asking the kernel to clear a table in forked children, before the first word is written in it: a
//! process that writes none forks without one more mapping.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicU32, constructor};

const NOT_ASKED: u32 = 0;
const CLEARS: u32 = 1;
const REFUSED: u32 = 2;

/// What the kernel answered. Zeroed, it was not asked.
pub struct Clearing(AtomicU32);

impl Clearing {
    constructor! {
        /// Not asked yet.
        pub fn new() -> Self {
            Self(AtomicU32::new(NOT_ASKED))
        }
    }

    /// Whether the kernel clears the table, which `ask` asks for and answers. Of threads that come here
    /// first at a time each asks: none may write before it has been done, and none waits.
    #[inline]
    pub fn is_on(&self, ask: impl FnOnce() -> bool) -> bool {
        match self.0.load(Ordering::Acquire) {
            NOT_ASKED => {
                let on = ask();
                let answer = if on { CLEARS } else { REFUSED };
                self.0.store(answer, Ordering::Release);
                on
            }
            answer => answer == CLEARS,
        }
    }
}
