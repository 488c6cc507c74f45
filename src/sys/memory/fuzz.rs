//! The reads of proven memory, under libFuzzer: the kernel's and not this program's own.
//!
//! An input may name any address, and what the kernel can read there may be what the sanitizer
//! forbids: the surroundings of an allocation, memory that was freed. That is no fault of the reader's,
//! which goes by pages. As `core::ptr` and C have them; not in the library that is shipped, where a
//! filter of system calls may end the process for this.

use core::ffi::{c_int, c_void};

/// As [`core::ptr::copy`].
///
/// # Safety
/// As there; `from` may have been unmapped by now, for which the run ends.
pub unsafe fn copy(from: *const u8, into: *mut u8, len: usize) {
    let local = libc::iovec {
        iov_base: into.cast(),
        iov_len: len,
    };
    let remote = libc::iovec {
        iov_base: from.cast_mut().cast(),
        iov_len: len,
    };
    // The system call itself, for the sanitizer looks into C's.
    // SAFETY: `into` has room for `len` bytes, as the caller says; the kernel checks where it reads.
    let read = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            libc::getpid(),
            &raw const local,
            1,
            &raw const remote,
            1,
            0,
        )
    };
    assert_eq!(usize::try_from(read), Ok(len), "proven memory");
}

/// As [`core::ptr::read_volatile`].
///
/// # Safety
/// As there, of a type that any bytes are a value of.
pub unsafe fn read_volatile<T: Copy>(from: *const T) -> T {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: as the caller says; `value` has room for a `T`, which is there afterwards.
    unsafe {
        copy(from.cast(), value.as_mut_ptr().cast(), size_of::<T>());
        value.assume_init()
    }
}

/// As C's, but of `one` the bytes are had from the kernel, and the answer is only whether they differ.
///
/// # Safety
/// As there.
pub unsafe fn memcmp(one: *const c_void, other: *const c_void, len: usize) -> c_int {
    let mut copied = vec![0_u8; len];
    // SAFETY: as the caller says; `copied` is as long.
    let other = unsafe {
        copy(one.cast(), copied.as_mut_ptr(), len);
        core::slice::from_raw_parts(other.cast::<u8>(), len)
    };
    c_int::from(copied != other)
}
