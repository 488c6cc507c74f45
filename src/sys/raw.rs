//! The few system calls and the care for `errno` that hooks need.
//!
//! Everything here is async-signal-safe. System calls are made directly where the C library's
//! wrapper could be interposed or cached (`getpid` of old C libraries).

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use core::time::Duration;

/// Keeps `errno` as the program left it, whatever the hook does.
pub struct ErrnoGuard(c_int);

impl Default for ErrnoGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrnoGuard {
    /// Remembers `errno`.
    pub fn new() -> Self {
        // SAFETY: `__errno_location` always returns this thread's valid `errno`.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Drop for ErrnoGuard {
    fn drop(&mut self) {
        // SAFETY: as in `new`; the guard does not leave its thread, it holds no reference.
        unsafe { *libc::__errno_location() = self.0 }
    }
}

/// What a system call of [`libc::syscall`] answered; the error is its number.
pub fn checked(answer: core::ffi::c_long) -> Result<usize, c_int> {
    if answer >= 0 {
        Ok(answer as usize)
    } else {
        // SAFETY: `__errno_location` always gives this thread's valid `errno`.
        Err(unsafe { *libc::__errno_location() })
    }
}

/// Whether there is nobody of this number.
pub fn is_gone(pid: c_int) -> bool {
    // SAFETY: no signal is sent, it is only asked whether there is somebody.
    let asked = checked(unsafe { libc::syscall(libc::SYS_kill, pid, 0) });
    asked == Err(libc::ESRCH)
}

/// `errno`, as the last call left it.
pub fn errno() -> c_int {
    // SAFETY: `__errno_location` always returns this thread's valid `errno`.
    unsafe { *libc::__errno_location() }
}

/// -1 with this `errno`, as the C library's functions fail.
pub fn fail(errno: c_int) -> c_int {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// The beginning of a file, as much as there is room for.
pub fn read_file<'a>(path: &CStr, room: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: a C string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return None;
    }
    // SAFETY: room for as many bytes as are asked for; the file was opened above.
    let length = unsafe {
        let length = libc::read(fd, room.as_mut_ptr().cast(), room.len());
        libc::close(fd);
        length
    };
    usize::try_from(length).ok().map(|length| &room[..length])
}

/// This process, as its own pid namespace numbers it.
pub fn getpid() -> i32 {
    // SAFETY: the call takes no argument and cannot fail.
    unsafe { libc::syscall(libc::SYS_getpid) as i32 }
}

/// The calling thread.
pub fn gettid() -> i32 {
    // SAFETY: the call takes no argument and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// The kernel's name of the calling thread, NUL-padded.
pub fn thread_name() -> [u8; 16] {
    let mut name = [0u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, its NUL included.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Nanoseconds of `clock` (`CLOCK_REALTIME`, `CLOCK_MONOTONIC`).
pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// Lets a millisecond pass.
pub fn pause_1ms() {
    pause(Duration::from_millis(1));
}

/// Lets time pass; a signal may end it early.
pub fn pause(time: Duration) {
    let time = libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the kernel reads the time; what was left of it is not asked for.
    unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) };
}

/// Ends the process at once, without handlers of any kind.
pub fn exit_now(code: c_int) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    unsafe { libc::_exit(code) }
}

/// Waits until `word` is no longer `value`, or a signal comes.
pub fn wait_while(word: &AtomicU32, value: u32) {
    // SAFETY: the kernel reads the word, which is alive; no time limit.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            core::ptr::null::<libc::timespec>(),
        );
    }
}

/// Wakes all who wait for `word` to change.
pub fn wake_all(word: &AtomicU32) {
    // SAFETY: the kernel looks the address up and touches nothing.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            c_int::MAX,
        );
    }
}

/// Whether this process may write at `address`.
///
/// The page is asked for by a `futex` call that adds 0 to a word of it, which every program may
/// make: `process_vm_writev` is missing from the filters that services run under, and would end
/// them.
pub fn is_writable(address: usize) -> bool {
    // Add 0 to the second word, wake nobody whatever it was.
    const ADD_NOTHING: u32 = (libc::FUTEX_OP_ADD as u32) << 28;
    let own = AtomicU32::new(0);
    // SAFETY: the kernel checks both addresses; what is at `address` keeps its value.
    let asked = unsafe {
        libc::syscall(
            libc::SYS_futex,
            own.as_ptr(),
            libc::FUTEX_WAKE_OP | libc::FUTEX_PRIVATE_FLAG,
            0,
            0usize,
            address & !(align_of::<u32>() - 1),
            ADD_NOTHING,
        )
    };
    asked >= 0
}

/// Writes one word of this process's own memory; a page that may not be written answers false
/// instead of faulting.
pub fn write_word(address: usize, value: usize) -> bool {
    if !address.is_multiple_of(align_of::<AtomicUsize>()) || !is_writable(address) {
        return false;
    }
    // SAFETY: aligned, and the kernel has just written there; the caller owns its meaning.
    unsafe { AtomicUsize::from_ptr(address as *mut usize) }.store(value, Ordering::Release);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_where_it_may_be() {
        let mut word = 1usize;
        assert!(write_word(&raw mut word as usize, 2));
        assert_eq!(word, 2);
    }

    #[test]
    fn a_protected_or_missing_page_is_refused() {
        static CONSTANT: usize = 1;
        assert!(!write_word(&raw const CONSTANT as usize, 2));
        assert!(!write_word(0, 2));
        assert_eq!(CONSTANT, 1);
    }
}
