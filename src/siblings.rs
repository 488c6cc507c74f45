//! What the processes of one family share: who already told which cause in full, and how many
//! events were written.
//!
//! One page, shared from the process that initialised CUDA with all its descendants; it dies with
//! the last of them. Each entry is claimed by compare-and-exchange, once, unless who claimed it was killed
//! before it had told.

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::report::buffer::Buffer;
use crate::report::limit::Limits;
use crate::sys::raw;

/// Causes remembered; a family with more tells the rest in full.
const CAUSES: usize = 256;

struct Page {
    /// The cause's hash above, the pid of the process that told it below; 0 is free.
    tellers: [AtomicU64; CAUSES],
    /// How many processes met it after that one.
    repeats: [AtomicU32; CAUSES],
    /// 1 once the report is out.
    out: [AtomicU32; CAUSES],
    limits: Limits,
}

static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
/// The first one. A family that begins with a revived process is of the same program, and writes to
/// the same file.
static OLDEST: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());

/// Makes the page, in the process that has just initialised CUDA.
pub fn prepare() {
    if PAGE.load(Ordering::Acquire).is_null() {
        restart();
    }
}

/// Makes a page for the family that begins with this process. The one before stays mapped: a thread
/// may be at it.
pub fn restart() {
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
        let _ = OLDEST.compare_exchange(
            core::ptr::null_mut(),
            page.cast(),
            Ordering::Release,
            Ordering::Relaxed,
        );
    }
}

/// What this program's processes have written.
pub fn limits() -> Option<&'static Limits> {
    let page = OLDEST.load(Ordering::Acquire);
    // SAFETY: as in `page`.
    (!page.is_null()).then(|| unsafe { &(*page).limits })
}

/// A cause that somebody tells.
#[derive(Clone, Copy, Debug)]
pub enum Telling {
    /// This process, the first; the place is for [`done`].
    First(Option<usize>),
    /// Another one did.
    Repeated(Told),
}

/// Who told a cause before.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The process that told it in full.
    pub by: i32,
    /// How many met it since, this one included.
    pub repeats: u32,
}

fn page() -> Option<&'static Page> {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: set once to a mapping of this size, zeroed (all atomics valid), never unmapped.
    (!page.is_null()).then(|| unsafe { &*page })
}

/// Notes that `pid` tells `cause` now, unless another process does or did.
///
/// A report takes several writes. So that a sibling's line does not stand in the middle of it, a
/// process that comes meanwhile waits for its end, but not long. Where the teller was killed before
/// that, `pid` tells in its place.
pub fn tell(cause: u64, pid: i32) -> Telling {
    let Some(page) = page() else {
        return Telling::First(None);
    };
    let hash = (cause >> 32) << 32;
    let entry = hash | u64::from(pid as u32);
    for step in 0..CAUSES {
        let place = (cause as usize).wrapping_add(step) % CAUSES;
        let claimed =
            page.tellers[place].compare_exchange(0, entry, Ordering::AcqRel, Ordering::Acquire);
        match claimed {
            Ok(_) => return Telling::First(Some(place)),
            Err(known) if known & !0xffff_ffff == hash => {
                let by = known as i32;
                if is_lost(&page.out[place], by)
                    && page.tellers[place]
                        .compare_exchange(known, entry, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok()
                {
                    return Telling::First(Some(place));
                }
                return Telling::Repeated(Told {
                    by,
                    repeats: page.repeats[place].fetch_add(1, Ordering::Relaxed) + 1,
                });
            }
            Err(_) => {}
        }
    }
    Telling::First(None)
}

/// The report is out.
pub fn done(place: usize) {
    if let Some(page) = page() {
        page.out[place].store(1, Ordering::Release);
        // SAFETY: wakes whoever waits at this address, in any process that shares the page.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                page.out[place].as_ptr(),
                libc::FUTEX_WAKE,
                i32::MAX,
            );
        }
    }
}

/// Whether the report that `by` began will never be out.
fn is_lost(out: &AtomicU32, by: i32) -> bool {
    let is_out = || out.load(Ordering::Acquire) != 0;
    if is_out() {
        return false;
    }
    if !is_dead(by) {
        wait(out);
    }
    !is_out() && is_dead(by)
}

/// Whether a process has ended, be it that nobody has waited for it yet. One of another pid namespace
/// counts as dead where it has no number here: it is told once more, not less.
fn is_dead(pid: i32) -> bool {
    if raw::is_gone(pid) {
        return true;
    }
    let mut room = [0; 32];
    let mut path = Buffer::new(&mut room);
    path.put(format_args!("/proc/{pid}/stat\0"));
    let Ok(path) = CStr::from_bytes_with_nul(path.finish()) else {
        return false;
    };
    let mut room = [0; 128];
    let Some(line) = raw::read_file(path, &mut room) else {
        return false;
    };
    // The name stands in parentheses, and may have some itself.
    let end = line.iter().rposition(|&byte| byte == b')');
    let state = end.and_then(|end| line.get(end + 2));
    matches!(state, Some(b'Z' | b'X'))
}

fn wait(out: &AtomicU32) {
    let patience = libc::timespec {
        tv_sec: 0,
        tv_nsec: 500_000_000,
    };
    if out.load(Ordering::Acquire) == 0 {
        // SAFETY: the kernel reads the word and the time; it returns when the word is no longer
        // 0, when it is woken, or when the time is up.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                out.as_ptr(),
                libc::FUTEX_WAIT,
                0,
                &raw const patience,
            );
        }
    }
}
