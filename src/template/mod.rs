//! The warm template: a fresh process at the price of a fork.
//!
//! One fresh interpreter, a child of the program's, imports what the program has imported and
//! waits. It has no CUDA and one thread, so a copy of it is as good as an interpreter that was
//! just executed. For each worker it makes one with `CLONE_PARENT`: the copy is the *program's*
//! child, with the pid, exit code and signals that the program expects.
//!
//! The template is a child too, for `CLONE_PARENT` knows no other parent to give. The program
//! must not notice it:
//!
//! - it never ends before its program, so that no `SIGCHLD` comes of it: one that is of no use
//!   ([`server`]) sleeps to the end as a program of 200 bytes. What signals a process group or a
//!   service meets a process that blocks them all, in a group of its own;
//! - `wait` for any child passes over it ([`wait`]);
//! - the program holds no file descriptor of it: it connects to an abstract socket for each start
//!   ([`wire`]) and closes the connection;
//! - it waits for its program's end on a pidfd, in every phase of its life, because the signal
//!   that the kernel can send at a parent's death comes at the end of the *thread* that made it.
//!
//! What remains to be seen: a list of child processes (`/proc/…/children`) has one more.
//!
//! Here: which process is this process's template. No lock, no allocation.

pub mod clone;
pub mod inherit;
pub mod server;
pub mod sleeper;
pub mod start;
pub mod wait;
pub mod wire;

use core::sync::atomic::{AtomicI32, Ordering};

use crate::sys::raw::{self, checked};

static PID: AtomicI32 = AtomicI32::new(0);
/// The process whose child it is: a forked child inherits these words, not the template.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// This process's template, while it lives, useful or not.
pub fn here() -> Option<i32> {
    let pid = PID.load(Ordering::SeqCst);
    (pid != 0 && OWNER.load(Ordering::Relaxed) == raw::getpid()).then_some(pid)
}

/// From now on this is this process's template.
fn adopt(pid: i32) {
    OWNER.store(raw::getpid(), Ordering::Relaxed);
    PID.store(pid, Ordering::SeqCst);
    wait::wake();
}

/// This process is about to become another program, which is to have no child that it did not
/// make. In the child of a `vfork`, which shares these words, there is none.
pub fn leave() {
    if let Some(pid) = here() {
        let _errno = raw::ErrnoGuard::new();
        wait::retire(pid);
    }
}

/// It has ended and was waited for.
fn forget(pid: i32) {
    let _ = PID.compare_exchange(pid, 0, Ordering::SeqCst, Ordering::Relaxed);
}

/// Whether it is gone; then it is waited for, and forgotten.
fn is_gone(pid: i32) -> bool {
    let mut status = 0;
    // SAFETY: a place for the answer. The system call itself, for the C library's is interposed.
    let answer = checked(unsafe {
        libc::syscall(
            libc::SYS_wait4,
            pid,
            &raw mut status,
            libc::WNOHANG,
            core::ptr::null_mut::<libc::rusage>(),
        )
    });
    // What could not be asked says nothing.
    let is_gone = matches!(answer, Ok(1..) | Err(libc::ECHILD));
    if is_gone {
        forget(pid);
    }
    is_gone
}
