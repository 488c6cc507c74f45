//! The word that says where a process stands: whether it was forked from one that had initialised CUDA.
//!
//! The word is cleared in every forked child, and all else is inherited. So whoever comes to a cleared
//! word and finds that CUDA was initialised is in a forked child: the process that initialises has
//! written its word before it does.

use core::sync::atomic::Ordering;

use crate::sync::AtomicU32;

/// Where a process stands in its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Neither forked from an initialised process, nor known to be.
    Own,
    /// Forked from a process that had initialised CUDA.
    Forked,
}

const UNKNOWN: u32 = 0;
const OWN: u32 = 1;
const FORKED: u32 = 2;

/// Where this process stands, by its word. `is_clean` says whether nobody in its line has initialised
/// CUDA or is at it.
#[inline]
pub fn decide(word: &AtomicU32, is_clean: impl FnOnce() -> bool) -> Standing {
    let mut value = word.load(Ordering::Acquire);
    if value == UNKNOWN {
        let decided = if is_clean() { OWN } else { FORKED };
        // Another thread of this process may have decided, and then initialised CUDA, meanwhile.
        value = word
            .compare_exchange(UNKNOWN, decided, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|other| other, |_| decided);
    }
    if value == FORKED {
        Standing::Forked
    } else {
        Standing::Own
    }
}

/// Whether a process has asked where it stands.
pub fn is_known(word: &AtomicU32) -> bool {
    word.load(Ordering::Relaxed) != UNKNOWN
}

/// This forked process has a driver of its own.
pub fn stand_alone(word: &AtomicU32) {
    word.store(OWN, Ordering::Release);
}
