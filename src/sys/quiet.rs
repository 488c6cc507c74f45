//! Stores that write only what changes something.
//!
//! After a fork the first write to a page costs a fault and a copy of the page, in the parent and in
//! the child; a read costs nothing. What is said at every fork is mostly what stands there already.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A word that can be looked at before it is written.
pub trait Word {
    /// What it holds.
    type Value: Copy + PartialEq;

    /// What it holds now.
    fn get(&self) -> Self::Value;

    /// Has it hold `value`.
    fn put(&self, value: Self::Value);
}

macro_rules! words {
    ($($atomic:ty: $value:ty),*) => {
        $(impl Word for $atomic {
            type Value = $value;

            #[inline]
            fn get(&self) -> $value {
                self.load(Ordering::Relaxed)
            }

            #[inline]
            fn put(&self, value: $value) {
                self.store(value, Ordering::Relaxed);
            }
        })*
    };
}

words!(AtomicBool: bool, AtomicU8: u8, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

/// Stores `value`, relaxed, unless it is there. For a word that nobody else writes now.
#[inline]
pub fn store<W: Word>(word: &W, value: W::Value) {
    if word.get() != value {
        word.put(value);
    }
}

/// Copies `from` into `into`, of the same length, unless it is there. Answers whether it was not.
#[inline]
pub fn copy<T: Copy + PartialEq>(from: &[T], into: &mut [T]) -> bool {
    let differs = *from != *into;
    if differs {
        into.copy_from_slice(from);
    }
    differs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that may be read and not written: a write would end the test.
    fn constant() -> &'static [AtomicU32; 2] {
        // SAFETY: a fresh page of zeros, each of which is an atomic's 0; never unmapped.
        unsafe {
            let page = libc::mmap(
                core::ptr::null_mut(),
                4096,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(page, libc::MAP_FAILED);
            &*page.cast()
        }
    }

    #[test]
    fn what_is_there_is_not_written() {
        let words = constant();
        store(&words[0], 0);
        let bytes = words.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: eight bytes of the page, which nobody writes while this looks.
        let bytes = unsafe { core::slice::from_raw_parts_mut(bytes, 8) };
        assert!(!copy(&[0; 8], bytes));
    }

    #[test]
    fn what_is_new_is_written() {
        let word = AtomicBool::new(false);
        store(&word, true);
        assert!(word.get());
        let mut into = [1, 2];
        assert!(copy(&[1, 3], &mut into));
        assert_eq!(into, [1, 3]);
    }
}
