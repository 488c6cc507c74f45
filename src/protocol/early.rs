//! What may be noted at any time, and is to reach a place that may come into being at the same time.
//!
//! One thread notes it and looks for the place; another makes the place and looks whether it was noted.
//! Each looks after it has said its own, with a barrier between, so that not both can miss the other.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicBool, constructor, fence};

/// Zeroed, it is not noted.
pub struct Early(AtomicBool);

impl Early {
    constructor! {
        /// Not noted.
        pub fn new() -> Self {
            Self(AtomicBool::new(false))
        }
    }

    /// Notes it; `pass_on` looks for the place, and says it there if there is one.
    pub fn note(&self, pass_on: impl FnOnce()) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        pass_on();
    }

    /// The place is there now: `pass_on` says it there, if it was noted before.
    pub fn catch_up(&self, pass_on: impl FnOnce()) {
        fence(Ordering::SeqCst);
        if self.is_noted() {
            pass_on();
        }
    }

    /// Whether it was noted.
    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes it back. Answers whether it was noted.
    pub fn forget(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
