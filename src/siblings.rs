//! What the processes of one family share: who already told which cause in full, and how many
//! events were written.
//!
//! One page, shared from the process that initialised CUDA with all its descendants; it dies with
//! the last of them. Who tells a cause, and who does in its place when that is killed, is
//! [`forkguard_protocol::tellers`]'s to say.

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use forkguard_protocol::tellers::{Entry, Others, Tellers, Telling};

use crate::report::buffer::Buffer;
use crate::report::limit::Limits;
use crate::sys::raw;

/// Causes remembered; a family with more tells the rest in full.
const CAUSES: usize = 256;

struct Page {
    tellers: Tellers<CAUSES>,
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

fn page() -> Option<&'static Page> {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: set once to a mapping of this size, zeroed (all atomics valid), never unmapped.
    (!page.is_null()).then(|| unsafe { &*page })
}

/// Notes that `pid` tells `cause` now, unless another process does or did. One that comes in the middle
/// of the other's report waits for its end, but not long.
pub fn tell(cause: u64, pid: i32) -> Telling<'static> {
    page().map_or(Telling::First(None), |page| {
        page.tellers.tell(cause, pid, &Processes)
    })
}

/// The report is out.
pub fn done(entry: &Entry) {
    entry.done(&Processes);
}

/// The family's other processes.
struct Processes;

impl Others for Processes {
    fn is_dead(&self, pid: i32) -> bool {
        is_dead(pid)
    }

    fn wait(&self, out: &AtomicU32) {
        let patience = libc::timespec {
            tv_sec: 0,
            tv_nsec: 500_000_000,
        };
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

    fn wake(&self, out: &AtomicU32) {
        // SAFETY: wakes whoever waits at this address, in any process that shares the page.
        unsafe {
            libc::syscall(libc::SYS_futex, out.as_ptr(), libc::FUTEX_WAKE, i32::MAX);
        }
    }
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
