//! The few system calls and the care for `errno` that hooks need.
//!
//! Everything here is async-signal-safe. System calls are made directly where the C library's
//! wrapper could be interposed or cached (`getpid` of old C libraries).

use core::ffi::c_int;

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

/// Ends the process at once, without handlers of any kind.
pub fn exit_now(code: c_int) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    unsafe { libc::_exit(code) }
}

/// Writes one word of this process's own memory, as far as it may be written: a protected page
/// answers false instead of faulting.
pub fn write_word(address: usize, value: usize) -> bool {
    let from = libc::iovec {
        iov_base: (&raw const value).cast_mut().cast(),
        iov_len: size_of::<usize>(),
    };
    let to = libc::iovec {
        iov_base: address as *mut _,
        iov_len: size_of::<usize>(),
    };
    // SAFETY: the kernel checks both ranges; the caller owns the meaning of what it overwrites.
    let written =
        unsafe { libc::process_vm_writev(getpid(), &raw const from, 1, &raw const to, 1, 0) };
    written == size_of::<usize>() as isize
}
