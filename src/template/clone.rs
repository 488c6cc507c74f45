//! A copy of the template that is its program's child.
//!
//! The template's Python calls `os.fork`, which prepares the interpreter and repairs the copy as
//! for any fork; the guard's `fork` then makes the process by a raw `clone`, because no function
//! of the C library passes `CLONE_PARENT`. What the C library's own `fork` would do besides:
//!
//! - the thread's id in its control block, and the robust list: done here;
//! - locks of its own and of its allocator: nobody can hold them, the template has one thread;
//! - at-fork handlers of libraries: they give back what *other threads* may hold, and note that
//!   CUDA or a thread pool did not survive. The template has neither. Those that end a library's
//!   threads have run: the template makes one ordinary fork before it serves.
//!
//! C libraries before 2.25 remember their pid, and are not served ([`is_possible`]).

use core::ffi::{CStr, c_char, c_long};
use core::sync::atomic::{AtomicBool, Ordering};

/// `PR_GET_TID_ADDRESS`: where the kernel clears the thread's id when it ends, which is the field
/// of the C library's control block.
const GET_TID_ADDRESS: i32 = 40;
/// Bytes of the control block that are searched where the kernel does not tell.
#[cfg(not(any(test, fuzzing)))]
const CONTROL_BLOCK: usize = 2304;

/// The next `fork` is to make a worker.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Makes the next `fork` of this process one for its parent.
pub fn want() {
    WANTED.store(true, Ordering::Relaxed);
}

/// Whether [`want`] was called before.
pub fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// What `fork` answers, where [`want`] was called before.
pub fn wanted() -> Option<i32> {
    if !is_wanted() {
        return None;
    }
    WANTED.store(false, Ordering::Relaxed);
    Some(make())
}

/// Whether copies can be made here.
pub fn is_possible() -> bool {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const c_char;
    }
    // SAFETY: glibc's, which answers a constant string.
    let version = unsafe { CStr::from_ptr(gnu_get_libc_version()) };
    let mut numbers = version.to_bytes().split(|&b| b == b'.').map(|digits| {
        let digits = core::str::from_utf8(digits).unwrap_or("");
        digits.parse::<u32>().unwrap_or(0)
    });
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (2, 25) && tid_address().is_some()
}

fn tid_address() -> Option<usize> {
    let mut address = 0_usize;
    // SAFETY: a place for the answer.
    let answer = unsafe { libc::prctl(GET_TID_ADDRESS, &raw mut address, 0, 0, 0) };
    if answer == 0 && address != 0 {
        return Some(address);
    }
    searched()
}

/// The one word of the control block that is this thread's id.
#[cfg(not(any(test, fuzzing)))]
fn searched() -> Option<usize> {
    use crate::sys::{memory::Reader, raw, thread};

    let block = thread::control_block();
    // On AArch64 the thread pointer is the block's end.
    let begin = if cfg!(target_arch = "aarch64") {
        block.checked_sub(CONTROL_BLOCK)?
    } else {
        block
    };
    let own = raw::gettid().to_ne_bytes();
    let mut reader = Reader::default();
    let mut found = (begin..begin + CONTROL_BLOCK).step_by(4).filter(|&at| {
        let mut word = [0; 4];
        reader.read(at, &mut word) && word == own
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(any(test, fuzzing))]
fn searched() -> Option<usize> {
    None
}

fn make() -> i32 {
    let Some(tid) = tid_address() else {
        return crate::sys::raw::fail(libc::ENOSYS);
    };
    let (mut robust, mut length) = (0_usize, 0_usize);
    let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    let flags = c_long::from(flags | libc::SIGCHLD);
    let none: c_long = 0;
    // SAFETY: places for the answers.
    unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            0,
            &raw mut robust,
            &raw mut length,
        );
    };
    // SAFETY: without CLONE_VM and with no stack given, the child goes on on its own copy of this
    // stack; `tid` is this thread's own field, which the kernel writes in the child's copy. The
    // last two arguments change places between the architectures.
    #[cfg(target_arch = "x86_64")]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, tid, none) };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, tid) };
    if pid == 0 && length != 0 {
        // SAFETY: the list that this very thread had registered, in the child's copy.
        unsafe { libc::syscall(libc::SYS_set_robust_list, robust, length) };
    }
    pid as i32
}
