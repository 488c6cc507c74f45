//! Executes a program in a child of this process, without copying this process first.
//!
//! As `posix_spawn` does it: the child shares this process's memory until it executes, and the
//! calling thread waits for that. What is done here and not there: a chosen list of descriptors
//! goes across under their own numbers, close-on-exec or not, which `posix_spawn` of C libraries
//! before 2.29 cannot do; and one that another thread closes meanwhile costs nothing.
//!
//! The child runs `child` and nothing else: it may not allocate, nor call what a library may
//! have replaced by code that does.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};

use super::raw::{self, checked};
use super::{descriptors, signals};

/// Bytes of the child's stack, without its guard page.
const STACK: usize = 64 << 10;
/// More than any page: below it lies what nobody may touch.
const GUARD: usize = 64 << 10;

/// A program to execute.
pub struct Program<'a> {
    /// Its file.
    pub file: &'a CStr,
    /// `argv`, its last pointer null.
    pub arguments: &'a [*const c_char],
    /// `envp`, its last pointer null.
    pub environment: *const *const c_char,
    /// The descriptors that it has, each under its own number; beside 0, 1 and 2, which it has
    /// whenever they do not close on exec.
    pub kept: &'a [c_int],
    /// The one of these that tells it what to do.
    pub told: c_int,
    /// Open descriptors that it does not have, though they do not close on exec.
    pub closed: &'a [c_int],
    /// A signal that it starts with blocked, beside those that the calling thread has blocked.
    pub blocked: Option<c_int>,
    /// Where the child writes its pid, in as many decimal digits as there are.
    pub pid: &'a [AtomicU8],
}

/// Children that have failed, and have not been waited for yet; 0 for none. More at a time are told to
/// a program that waits for any child.
static FAILED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

struct Shared<'a> {
    program: &'a Program<'a>,
    mask: signals::Set,
    /// Whose child it is, and its pid as that process knows it.
    process: libc::pid_t,
    pid: AtomicI32,
    /// Why it was not executed; 0 as long as nothing is known.
    errno: AtomicI32,
}

impl Shared<'_> {
    /// In the child, before it ends: [`has_failed`] from here on.
    fn fail(&self, errno: c_int) -> c_int {
        let failed = place(self.process, self.pid.load(Ordering::Relaxed));
        for each in &FAILED {
            if (each.compare_exchange(0, failed, Ordering::AcqRel, Ordering::Relaxed)).is_ok() {
                break;
            }
        }
        self.errno.store(errno, Ordering::Release);
        127
    }
}

/// Starts it and answers the pid.
///
/// # Errors
/// The errno with which the system refused; there is no child then. There may have been one for a
/// moment, of which a program that waits for any child is not to hear ([`has_failed`]).
pub fn spawn(program: &Program<'_>) -> Result<libc::pid_t, c_int> {
    let stack = Stack::new()?;
    // A handler must not run in the child: its memory is ours.
    let before = signals::block_all();
    let shared = Shared {
        program,
        mask: (program.blocked).map_or(before, |signal| signals::with(before, signal)),
        process: raw::getpid(),
        pid: AtomicI32::new(0),
        errno: AtomicI32::new(0),
    };
    // SAFETY: `child` takes a `Shared`, and this one outlives its use there: with CLONE_VFORK the
    // call returns when the child has executed or ended. The stack is its own.
    let cloned = checked(i64::from(unsafe {
        libc::clone(
            child,
            stack.top(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD,
            (&raw const shared).cast_mut().cast(),
            shared.pid.as_ptr(),
        )
    }));
    let refused = shared.errno.load(Ordering::Acquire);
    if refused != 0
        && let Ok(pid) = cloned
    {
        let pid = pid as libc::pid_t;
        // Another thread that has waited for it does not know yet what it was, and forgets it.
        if reap(pid) || signals::children_vanish() {
            forget_failed(pid);
        }
    }
    signals::mask(before);
    let pid = cloned? as libc::pid_t;
    if refused == 0 { Ok(pid) } else { Err(refused) }
}

/// Waits for the end of a child that is certain to end, and that the program does not know of; whether
/// nobody else has done so. The system call itself: a `fork` in which this happens is no place where a
/// thread can be cancelled.
pub fn reap(pid: libc::pid_t) -> bool {
    let (status, usage) = (
        core::ptr::null_mut::<c_int>(),
        core::ptr::null_mut::<c_void>(),
    );
    loop {
        // SAFETY: waits for a child; nothing is written.
        let waited = unsafe { libc::syscall(libc::SYS_wait4, pid, status, 0, usage) };
        match checked(waited) {
            Ok(_) => return true,
            Err(libc::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Whether it is a child of this process's that was to execute a program and could not. It ended at
/// once, and nobody but [`spawn()`] is to hear of it.
pub fn has_failed(pid: libc::pid_t) -> bool {
    FAILED.iter().any(|each| {
        let failed = each.load(Ordering::Acquire);
        // Rarely, so that nobody is asked who they are for each child.
        failed as u32 == pid.unsigned_abs() && failed == place(raw::getpid(), pid)
    })
}

/// It was waited for: by whoever did so, who asks [`has_failed`] before.
pub fn forget_failed(pid: libc::pid_t) {
    let failed = place(raw::getpid(), pid);
    for each in &FAILED {
        let _ = each.compare_exchange(failed, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A child of a process, as a word of [`FAILED`].
fn place(process: libc::pid_t, child: libc::pid_t) -> u64 {
    u64::from(process.unsigned_abs()) << 32 | u64::from(child.unsigned_abs())
}

/// In the child, on a stack of its own, all signals blocked.
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `spawn`'s, alive until this child has executed or ended.
    let shared = unsafe { &*shared.cast_const().cast::<Shared<'_>>() };
    let program = shared.program;
    signals::without_handlers();
    for &fd in program.closed {
        // SAFETY: this process's copy of a descriptor that the program is not to have.
        unsafe { libc::syscall(libc::SYS_close, fd) };
    }
    for &fd in program.kept {
        if fd != program.told && descriptors::is_anothers(fd) {
            // SAFETY: as above.
            unsafe { libc::syscall(libc::SYS_close, fd) };
            continue;
        }
        match descriptors::close_on_exec(fd, false) {
            // What another thread has closed by now a forked child might not have either.
            Ok(()) | Err(libc::EBADF) => {}
            Err(refused) => return shared.fail(refused),
        }
    }
    let mut pid = raw::getpid().unsigned_abs();
    for digit in program.pid.iter().rev() {
        digit.store(b'0' + (pid % 10) as u8, Ordering::Relaxed);
        pid /= 10;
    }
    signals::mask(shared.mask);
    // SAFETY: C strings, and null-terminated lists of them, says `Program`.
    let executed = checked(i64::from(unsafe {
        libc::execve(
            program.file.as_ptr(),
            program.arguments.as_ptr(),
            program.environment,
        )
    }));
    shared.fail(executed.err().unwrap_or(libc::EIO))
}

struct Stack(*mut c_void);

impl Stack {
    fn new() -> Result<Self, c_int> {
        // SAFETY: a new mapping wherever there is room; the guard lies at its low end, to which
        // the stack grows.
        unsafe {
            let low = libc::mmap(
                core::ptr::null_mut(),
                GUARD + STACK,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
                -1,
                0,
            );
            if low == libc::MAP_FAILED {
                return Err(checked(-1).unwrap_err());
            }
            let stack = Self(low);
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            if libc::mprotect(low.byte_add(GUARD), STACK, writable) != 0 {
                return Err(checked(-1).unwrap_err());
            }
            Ok(stack)
        }
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: the end of the mapping, which is aligned as every page is.
        unsafe { self.0.byte_add(GUARD + STACK) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; the child that used it has executed or ended.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    fn run(file: &CStr, script: &str, kept: &[c_int], closed: &[c_int]) -> Result<c_int, c_int> {
        run_told(file, script, kept, -1, closed)
    }

    fn run_told(
        file: &CStr,
        script: &str,
        kept: &[c_int],
        told: c_int,
        closed: &[c_int],
    ) -> Result<c_int, c_int> {
        let script = CString::new(script).unwrap();
        let arguments = [
            file.as_ptr(),
            c"-c".as_ptr(),
            script.as_ptr(),
            core::ptr::null(),
        ];
        let environment = [core::ptr::null()];
        let pid = spawn(&Program {
            file,
            arguments: &arguments,
            environment: environment.as_ptr(),
            kept,
            told,
            closed,
            blocked: Some(libc::SIGINT),
            pid: &[],
        })?;
        let mut status = 0;
        // SAFETY: the child just started, and a place for its status.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        Ok(libc::WEXITSTATUS(status))
    }

    fn null(flags: c_int) -> OwnedFd {
        // SAFETY: a descriptor of the test's own.
        unsafe { OwnedFd::from_raw_fd(libc::open(c"/dev/null".as_ptr(), flags)) }
    }

    #[test]
    fn what_is_kept_is_there_and_what_is_closed_is_not() {
        let (kept, closed) = (null(libc::O_CLOEXEC), null(0));
        let (kept, closed) = (kept.as_raw_fd(), closed.as_raw_fd());
        let script = format!("test -e /proc/self/fd/{kept} && ! test -e /proc/self/fd/{closed}");
        assert_eq!(run(c"/bin/sh", &script, &[kept], &[closed]), Ok(0));
        // One that is not open at all costs nothing.
        assert_eq!(
            run(c"/bin/sh", &script, &[kept, 999], &[closed, 998]),
            Ok(0)
        );
        assert_eq!(run(c"/bin/sh", &script, &[], &[closed]), Ok(1));
    }

    #[test]
    fn what_another_worker_is_told_is_for_that_one_alone() {
        // SAFETY: C strings and flags; the numbers are this test's own.
        let (one, other) = unsafe {
            let one = libc::memfd_create(c"forkguard-entry".as_ptr(), libc::MFD_CLOEXEC);
            let other = libc::memfd_create(c"forkguard-payload".as_ptr(), 0);
            (OwnedFd::from_raw_fd(one), OwnedFd::from_raw_fd(other))
        };
        let (one, other) = (one.as_raw_fd(), other.as_raw_fd());
        let script = format!("test -e /proc/self/fd/{one} && ! test -e /proc/self/fd/{other}");
        let told = run_told(c"/bin/sh", &script, &[one, other], one, &[]);
        assert_eq!(told, Ok(0));
    }

    #[test]
    fn what_cannot_be_executed_leaves_no_child() {
        assert_eq!(run(c"/nowhere/sh", "", &[], &[]), Err(libc::ENOENT));
        assert_eq!(run(c"/etc/passwd", "", &[], &[]), Err(libc::EACCES));
    }

    #[test]
    fn the_signal_is_blocked_there_and_not_here() {
        let script = "kill -INT $$; exit 3";
        assert_eq!(run(c"/bin/sh", script, &[], &[]), Ok(3));
        let now = signals::block_all();
        signals::mask(now);
        assert_eq!(now, now & !signals::with(0, libc::SIGINT));
    }
}
