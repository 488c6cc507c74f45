//! The memory in which the record of this process's family lies: shared from the process that
//! initialised CUDA with all its descendants, it dies with the last of them.
//!
//! It is a memfd, so that `forkguard ps` can read it from outside: by the descriptor that is kept for
//! that, or, where the program has closed it, by the mapping. Where there is no memfd to be had there
//! is no record; where there is no number for it that is out of the program's way, no descriptor.
//!
//! Also made in a forked child that gets a driver of its own: system calls, no lock, no heap.

use core::ffi::c_int;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use forkguard_record::Record;

use crate::sys::descriptors::DescriptorCell;
use crate::sys::raw;

/// The descriptor lies high, out of the way of programs that count on low numbers.
const FIRST_FD: c_int = 500;
/// Not executable, as kernels since 6.3 want to be told.
const NOEXEC_SEAL: u32 = 8;

static RECORD: AtomicPtr<Record> = AtomicPtr::new(core::ptr::null_mut());
static FD: DescriptorCell = DescriptorCell::new(-1);
/// The memfd's inode: a program may close any descriptor, and its number may be something else then.
static INODE: AtomicU64 = AtomicU64::new(0);

/// The record, in a process of a family that has one.
pub fn record() -> Option<&'static Record> {
    let record = RECORD.load(Ordering::Acquire);
    // SAFETY: set to a mapping of this size, zeroed (all atomics valid), that is never unmapped, only
    // exchanged for another one.
    (!record.is_null()).then(|| unsafe { &*record })
}

/// Makes it, in the process that has just initialised CUDA.
pub fn prepare() {
    if RECORD.load(Ordering::Acquire).is_null() {
        restart();
    }
}

/// Makes it for the family that begins with this process. It takes the place of the one before:
/// another thread may be at that, and finds the new one. A place of its own could be where the
/// parent's device was mapped, and a stale handle would be a pointer into this.
pub fn restart() {
    let before = FD.swap(-1, Ordering::AcqRel);
    if is(before) {
        // SAFETY: the memfd that this module opened.
        unsafe { libc::syscall(libc::SYS_close, before) };
    }
    let place = RECORD.load(Ordering::Acquire);
    let (kind, fd) = match memfd() {
        Some(fd) => (libc::MAP_SHARED | libc::MAP_POPULATE, fd),
        // Nobody else is to be told of this family as if it were the one before.
        None if !place.is_null() => (libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
        None => return,
    };
    let fixed = if place.is_null() { 0 } else { libc::MAP_FIXED };
    // SAFETY: a fresh mapping, or one over this module's own of the same size, whose content, zeros
    // again, is as good as what was there.
    let record = unsafe {
        libc::mmap(
            place.cast(),
            size_of::<Record>(),
            libc::PROT_READ | libc::PROT_WRITE,
            kind | fixed,
            fd,
            0,
        )
    };
    let record = if record == libc::MAP_FAILED {
        core::ptr::null_mut()
    } else {
        record.cast()
    };
    RECORD.store(record, Ordering::Release);
    if fd >= 0 {
        keep(fd);
    }
}

/// Whether `fd` is the family's: it is for this family's processes only, and not for a program that
/// one of them executes.
pub fn is_ours(fd: c_int) -> bool {
    FD.load(Ordering::Relaxed) == fd && is(fd)
}

/// Whether the number still is what it was.
fn is(fd: c_int) -> bool {
    fd >= 0 && inode(fd).is_some_and(|inode| inode == INODE.load(Ordering::Relaxed))
}

fn memfd() -> Option<c_int> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    if !may_be_written() {
        return None;
    }
    let create = |flags: u32| {
        // SAFETY: a C string and flags.
        raw::checked(unsafe {
            libc::syscall(
                libc::SYS_memfd_create,
                forkguard_record::NAME.as_ptr(),
                flags,
            )
        })
    };
    let fd = create(flags | NOEXEC_SEAL)
        .or_else(|_| create(flags))
        .ok()? as c_int;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: the descriptor was opened just now, and is nobody else's. Others read it only.
    let made = unsafe {
        libc::ftruncate(fd, size_of::<Record>() as libc::off_t) == 0
            && libc::fchmod(fd, 0o444) == 0
            && libc::fcntl(fd, libc::F_ADD_SEALS, seals) == 0
    };
    if !made {
        // SAFETY: as above.
        unsafe { libc::syscall(libc::SYS_close, fd) };
    }
    made.then_some(fd)
}

/// Moves the descriptor to a number that the program does not use; closes it where there is none.
fn keep(low: c_int) {
    // SAFETY: the memfd, opened by this module.
    let high = unsafe { libc::fcntl(low, libc::F_DUPFD_CLOEXEC, FIRST_FD) };
    // SAFETY: as above; what was mapped stays.
    unsafe { libc::syscall(libc::SYS_close, low) };
    if let Some(inode) = inode(high) {
        INODE.store(inode, Ordering::Relaxed);
        FD.store(high, Ordering::Release);
    }
}

/// Whether files may become that large: where they may not, trying costs the program a SIGXFSZ.
fn may_be_written() -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the answer has its place.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    known && limit.rlim_cur >= size_of::<Record>() as libc::rlim_t
}

fn inode(fd: c_int) -> Option<u64> {
    // SAFETY: all-zero is a valid `stat`, and the kernel fills it in.
    let mut about: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: asks about a number; `about` is a place for the answer.
    (unsafe { libc::syscall(libc::SYS_fstat, fd, &raw mut about) } == 0).then_some(about.st_ino)
}
