//! The heap of the few parts that may have one: the template and who talks to it. It is the program's
//! own, the C library's `malloc`.
//!
//! Not in unit tests, which have the standard library's.

use core::alloc::{GlobalAlloc, Layout};

/// What `malloc` aligns to on every 64-bit Linux (`alignof(max_align_t)`).
const ALIGNED: usize = 16;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: `malloc` and its kin give memory of that size, aligned as far as is asked for below, that is
// nobody else's until it is freed; where there is none they answer null, as is wanted here.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNED {
            // SAFETY: any size may be asked for.
            return unsafe { libc::malloc(layout.size()) }.cast();
        }
        let mut place = core::ptr::null_mut();
        // SAFETY: a power of two that is a multiple of a pointer's size, and a place for the answer.
        let failed = unsafe { libc::posix_memalign(&raw mut place, layout.align(), layout.size()) };
        if failed == 0 {
            place.cast()
        } else {
            core::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, _: Layout) {
        // SAFETY: the caller gives back what `alloc` gave.
        unsafe { libc::free(place.cast()) };
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGNED {
            // SAFETY: what `alloc` gave, and a size that is not 0.
            return unsafe { libc::realloc(place.cast(), size) }.cast();
        }
        // SAFETY: the caller answers for the size, which with this alignment does not overflow.
        let layout_after = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as above.
        let after = unsafe { self.alloc(layout_after) };
        if !after.is_null() {
            // SAFETY: both are of at least that many bytes, and one is not part of the other; the
            // former is the caller's to give back.
            unsafe {
                core::ptr::copy_nonoverlapping(place, after, layout.size().min(size));
                self.dealloc(place, layout);
            }
        }
        after
    }
}
