//! The atomics: those of the machine, or, in a model (`--cfg loom`), those that loom tries out in every
//! order. A model's record has to be small: two slots, and texts of a few bytes.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, fence};

/// The first where it is no model, the second where it is one.
pub const fn or_in_model(size: usize, in_model: usize) -> usize {
    if cfg!(loom) { in_model } else { size }
}
