//! The atomics and the cells: those of the machine, or, in a model (`--cfg loom`), those that loom
//! tries out in every order. A model's cell ends the model when two threads come to it without an
//! order between them.

#[cfg(not(loom))]
pub use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, fence,
};
#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, fence,
};

#[cfg(loom)]
pub use loom::cell::UnsafeCell as Cell;

/// A value of which some protocol says who may come to it.
#[cfg(not(loom))]
#[repr(transparent)]
pub struct Cell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> Cell<T> {
    /// Of this value.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Passes on where the value is, to be read.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Passes on where the value is, to be written.
    #[inline]
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// An array of equal beginnings, which are constants but in a model.
macro_rules! array {
    ($new:expr) => {{
        #[cfg(not(loom))]
        let array = [const { $new }; _];
        #[cfg(loom)]
        let array = core::array::from_fn(|_| $new);
        array
    }};
}

/// A constructor, which is `const` but in a model.
macro_rules! constructor {
    ($(#[$about:meta])* pub fn $name:ident() -> Self $body:block) => {
        $(#[$about])*
        #[cfg(not(loom))]
        #[must_use]
        #[allow(clippy::new_without_default, reason = "a default is no constant")]
        pub const fn $name() -> Self $body

        $(#[$about])*
        #[cfg(loom)]
        #[must_use]
        #[allow(clippy::new_without_default, reason = "as it is without a model")]
        pub fn $name() -> Self $body
    };
}

pub(crate) use {array, constructor};
