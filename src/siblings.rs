//! What the processes of one family share: who already told which cause in full.
//!
//! One page, shared from the process that initialised CUDA with all its descendants; it dies with
//! the last of them. Each entry is claimed once, by compare-and-exchange.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Causes remembered; a family with more tells the rest in full.
const CAUSES: usize = 256;

struct Page {
    /// The cause's hash with its lowest bits replaced by nothing; 0 is free.
    causes: [AtomicU64; CAUSES],
    /// The pid of the process that told it.
    tellers: [AtomicU64; CAUSES],
}

static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());

/// Makes the page, in the process that has just initialised CUDA.
pub fn prepare() {
    if !PAGE.load(Ordering::Acquire).is_null() {
        return;
    }
    // SAFETY: a fresh anonymous mapping; nothing else is there.
    let page = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            size_of::<Page>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    // Without it every process tells in full: longer, not wrong.
    if page != libc::MAP_FAILED {
        PAGE.store(page.cast(), Ordering::Release);
    }
}

/// Notes that `pid` tells `cause` now; gives the pid that told it before, if one did.
pub fn told_by(cause: u64, pid: i32) -> Option<i32> {
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return None;
    }
    // SAFETY: set once to a mapping of this size, zeroed (all atomics valid), never unmapped.
    let page = unsafe { &*page };
    let cause = cause | 1;
    let first = cause as usize >> 1;
    for step in 0..CAUSES {
        let place = (first + step) % CAUSES;
        match page.causes[place].compare_exchange(0, cause, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                page.tellers[place].store(pid as u64, Ordering::Release);
                return None;
            }
            Err(known) if known == cause => {
                return Some(page.tellers[place].load(Ordering::Acquire) as i32);
            }
            Err(_) => {}
        }
    }
    None
}
