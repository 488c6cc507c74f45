//! What the processes of one family share: who already told which cause in full.
//!
//! One page, shared from the process that initialised CUDA with all its descendants; it dies with
//! the last of them. Each entry is claimed once, by compare-and-exchange.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Causes remembered; a family with more tells the rest in full.
const CAUSES: usize = 256;

struct Page {
    /// The cause's hash above, the pid of the process that told it below; 0 is free.
    tellers: [AtomicU64; CAUSES],
    /// How many processes met it after that one.
    repeats: [AtomicU32; CAUSES],
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

/// Who told a cause before.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The process that told it in full.
    pub by: i32,
    /// How many met it since, this one included.
    pub repeats: u32,
}

/// Notes that `pid` tells `cause` now; gives who told it before, if somebody did.
pub fn tell(cause: u64, pid: i32) -> Option<Told> {
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return None;
    }
    // SAFETY: set once to a mapping of this size, zeroed (all atomics valid), never unmapped.
    let page = unsafe { &*page };
    let hash = (cause >> 32) << 32;
    let entry = hash | u64::from(pid as u32);
    for step in 0..CAUSES {
        let place = (cause as usize).wrapping_add(step) % CAUSES;
        let claimed =
            page.tellers[place].compare_exchange(0, entry, Ordering::AcqRel, Ordering::Acquire);
        match claimed {
            Ok(_) => return None,
            Err(known) if known & !0xffff_ffff == hash => {
                return Some(Told {
                    by: known as i32,
                    repeats: page.repeats[place].fetch_add(1, Ordering::Relaxed) + 1,
                });
            }
            Err(_) => {}
        }
    }
    None
}
