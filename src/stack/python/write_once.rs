//! A value written once and read from then on, without ever waiting.
//!
//! `once_cell::race` has no cell for a large value that does not allocate.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, Ordering};

const EMPTY: u8 = 0;
const BEING_WRITTEN: u8 = 1;
const WRITTEN: u8 = 2;

/// The cell. Who comes second to write it leaves the first one's value.
///
/// A process forked while another thread was writing finds it empty for ever.
pub struct WriteOnce<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by the one thread that took the state from EMPTY, and shared
// references are given out only after that thread has published it.
unsafe impl<T: Copy + Send + Sync> Sync for WriteOnce<T> {}

impl<T: Copy> WriteOnce<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The value, where it is written.
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != WRITTEN {
            return None;
        }
        // SAFETY: WRITTEN is set after the value, and nobody writes it again.
        Some(unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// Writes the value, where nobody has.
    pub fn set(&self, value: T) {
        let taken =
            self.state
                .compare_exchange(EMPTY, BEING_WRITTEN, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() {
            // SAFETY: only one thread ever gets here, and no reader looks before WRITTEN.
            unsafe { (*self.value.get()).write(value) };
            self.state.store(WRITTEN, Ordering::Release);
        }
    }
}
